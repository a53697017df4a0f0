"""GhostNetV2: GhostNet whose ghost modules attend to rows and columns.

*GhostNetV2: Enhance Cheap Operation with Long-Range Attention*, Tang et al., NeurIPS 2022
(arXiv 2211.12905), and the authors' code.
"""

import os

import keras

from keras_ghostnet import builder, ghostnet, specs
from keras_ghostnet.layers import GhostBottleneck
from keras_ghostnet.layers.types import Activation, Shape, Tensor


@builder.document(
    head=" (and the 1280 units in front of it)",
    features="960 * width",
    min_size=specs.GhostNetV2Spec.min_size,
)
def GhostNetV2(
    width: float = 1.0,
    *,
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
    """GhostNetV2 of any width: C-GhostNet with attention in its expanding ghost modules.

    Reference: [GhostNetV2: Enhance Cheap Operation with Long-Range Attention](
    https://arxiv.org/abs/2211.12905) (NeurIPS 2022). Accuracies are the paper's, on ImageNet at
    224 x 224; parameters and multiply-adds are what `ghostnet models` counts.

    | Width | Parameters | MACs    | Top-1  |
    |-------|------------|---------|--------|
    | 1.0   |     6.16 M | 167.1 M | 75.3 % |
    | 1.3   |     8.96 M | 269.3 M | 76.9 % |
    | 1.6   |    12.39 M | 398.6 M | 77.8 % |

    Args:
        width: Multiplier of all channels but the head's, a positive number.
        {arguments}

    {results}

    Example:

    >>> model = keras_ghostnet.GhostNetV2(width=1.3)
    >>> model.name, keras_ghostnet.count_parameters(model)
    ('ghostnetv2_130', 8960404)
    """
    return builder.build(
        specs.ghostnetv2(width),
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
        return GhostBottleneck(attention=block.attention, **common)

    return ghostnet.backbone(x, spec, output_stride, bottleneck)
