"""RepGhostNet: GhostNet whose ghost modules add instead of concatenating.

*RepGhost: A Hardware-Efficient Ghost Module via Re-parameterization*, Chen et al., 2022
(arXiv 2211.06088), and the authors' code.
"""

import os

import keras

from keras_ghostnet import builder, ghostnet, specs
from keras_ghostnet.layers import RepGhostBottleneck
from keras_ghostnet.layers.types import Activation, Shape, Tensor


@builder.document(
    head=" (and the 1280 units in front of it)",
    features="960 * width",
)
def RepGhostNet(
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
    """RepGhostNet of any width: C-GhostNet without concatenations.

    Reference: [RepGhost: A Hardware-Efficient Ghost Module via Re-parameterization](
    https://arxiv.org/abs/2211.06088) (2022). Accuracies are those of the authors' checkpoints in
    timm, on ImageNet at 224 x 224; parameters and multiply-adds are what `ghostnet models`
    counts. What is added in training is folded by `keras_ghostnet.export`.

    | Width | Parameters | MACs    | Top-1   |
    |-------|------------|---------|---------|
    | 0.5   |     2.31 M |  43.3 M | 66.98 % |
    | 0.58  |     2.55 M |  59.8 M | 68.94 % |
    | 0.8   |     3.28 M |  95.5 M | 72.24 % |
    | 1.0   |     4.07 M | 142.4 M | 74.21 % |
    | 1.11  |     4.54 M | 170.1 M | 75.06 % |
    | 1.3   |     5.48 M | 231.1 M | 76.38 % |
    | 1.5   |     6.58 M | 301.3 M | 77.47 % |
    | 2.0   |     9.80 M | 515.9 M | 78.80 % |

    Args:
        width: Multiplier of all channels but the head's, a positive number.
        {arguments}

    {results}

    Example:

    >>> model = keras_ghostnet.RepGhostNet(width=0.5)
    >>> model.name, keras_ghostnet.count_parameters(model)
    ('repghostnet_050', 2313968)
    """
    return builder.build(
        specs.repghostnet(width),
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
    return ghostnet.backbone(
        x, spec, output_stride, lambda block, **common: RepGhostBottleneck(**common)
    )
