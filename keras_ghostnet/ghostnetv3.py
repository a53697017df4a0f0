"""GhostNetV3: GhostNetV2 whose convolutions are trained as sums of several.

*GhostNetV3: Exploring the Training Strategies for Compact Models*, Liu et al., 2024
(arXiv 2404.11202), and the authors' code.
"""

import os

import keras

from keras_ghostnet import builder, ghostnet, specs
from keras_ghostnet.layers import GhostBottleneck
from keras_ghostnet.layers.types import Activation, Shape, Tensor


@builder.document(
    head=" (and the 1280 units in front of it)",
    features="960 * width",
    min_size=specs.GhostNetV3Spec.min_size,
)
def GhostNetV3(
    width: float = 1.0,
    *,
    deployed: bool = False,
    include_top: bool = True,
    weights: str | os.PathLike[str] | None = None,
    input_tensor: Tensor | None = None,
    input_shape: Shape | None = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Activation = "softmax",
    dropout_rate: float = 0.2,
    output_stride: int = 32,
    name: str | None = None,
) -> keras.Model:
    """GhostNetV3 of any width: GhostNetV2 with parallel branches, which are folded after training.

    Reference: [GhostNetV3: Exploring the Training Strategies for Compact Models](
    https://arxiv.org/abs/2404.11202) (2024), section 3.2. Accuracies are the paper's, on ImageNet
    at 224 x 224; parameters and multiply-adds are counted, in training and `deployed`.

    A convolution is the sum of three, a depthwise one of a 1x1 besides, and in ghost modules of
    a batch norm. Every format that `keras_ghostnet.export` writes holds the folded network, which
    has GhostNetV2's layers; `deployed=True` builds that one here.

    | Width | Parameters | MACs    | deployed | MACs    | Top-1  |
    |-------|------------|---------|----------|---------|--------|
    | 0.5   |     3.40 M | 117.5 M |   2.84 M |  49.6 M |        |
    | 1.0   |     8.13 M | 404.1 M |   6.13 M | 167.1 M | 77.1 % |
    | 1.3   |    12.22 M | 654.8 M |   8.92 M | 269.3 M | 79.1 % |
    | 1.6   |    17.28 M | 971.6 M |  12.34 M | 398.6 M | 80.4 % |

    Args:
        width: Multiplier of all channels but the head's, a positive number.
        deployed: Whether to build the folded network: each convolution once, with a bias, and no
            batch norm. Weights of the other form are converted to it, and back.
        {arguments}

    {results}

    Example:

    >>> model = keras_ghostnet.GhostNetV3()
    >>> deployed = keras_ghostnet.GhostNetV3(deployed=True)
    >>> keras_ghostnet.count_parameters(model), keras_ghostnet.count_parameters(deployed)
    (8129028, 6125716)
    """
    return builder.build(
        specs.ghostnetv3(width, deployed),
        builder.at_output_stride(_backbone, output_stride),
        ghostnet.head,
        include_top=include_top,
        weights=weights,
        input_tensor=input_tensor,
        input_shape=input_shape,
        pooling=pooling,
        classes=classes,
        classifier_activation=classifier_activation,
        dropout_rate=dropout_rate,
        name=name,
    )


def _backbone(x, spec, output_stride=32):
    def bottleneck(block, **common):
        return GhostBottleneck(attention=block.attention, branches=spec.branches, **common)

    return ghostnet.backbone(x, spec, output_stride, bottleneck, folded=spec.deployed)
