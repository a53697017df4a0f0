"""C-GhostNet, for CPUs and ARM: ghost modules in every layer of a MobileNetV3-like network.

*GhostNet: More Features from Cheap Operations*, Han et al., CVPR 2020 (arXiv 1911.11907);
C-GhostNet in *GhostNets on Heterogeneous Devices via Cheap Operations* (arXiv 2201.03297).
"""

import os
from collections.abc import Callable

import keras

from keras_ghostnet import builder, specs
from keras_ghostnet.layers import GhostBottleneck
from keras_ghostnet.layers.convolution import kernel_initializer
from keras_ghostnet.layers.types import Activation, Shape, Tensor


@builder.document(head=" (and the 1280 units in front of it)", features="960 * width")
def GhostNet(
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
    """C-GhostNet of any width.

    Reference: [GhostNet: More Features from Cheap Operations](
    https://arxiv.org/abs/1911.11907) (CVPR 2020). Accuracies are the paper's, on ImageNet at
    224 x 224; parameters and multiply-adds are what `ghostnet models` counts.

    | Width | Parameters | MACs    | Top-1  | Top-5  |
    |-------|------------|---------|--------|--------|
    | 0.5   |     2.59 M |  42.3 M | 66.2 % | 86.6 % |
    | 1.0   |     5.18 M | 141.2 M | 73.9 % | 91.4 % |
    | 1.3   |     7.36 M | 227.0 M | 75.7 % | 92.7 % |

    Args:
        width: Multiplier of all channels but the head's, a positive number.
        {arguments}

    {results}

    Example:

    >>> model = keras_ghostnet.GhostNet(width=1.3)
    >>> model.name, model.count_params()
    ('ghostnet_130', 7387356)
    """
    return builder.build(
        specs.ghostnet(width),
        builder.at_output_stride(_backbone, output_stride),
        head,
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
    return backbone(x, spec, output_stride, lambda block, **common: GhostBottleneck(**common))


def backbone(
    x: Tensor,
    spec: specs.GhostNetSpec,
    output_stride: int,
    bottleneck: Callable[..., keras.Layer],
    folded: bool = False,
) -> Tensor:
    """The layers up to the last feature maps, of this network and its successors.

    Args:
        x: The images.
        spec: The specification.
        output_stride: As the constructor.
        bottleneck: Function of a `GhostBlock` and of the arguments that all bottlenecks take, by
            keyword, that makes the layer of a block.
        folded: Whether batch norms are folded into the convolutions.
    """
    x = builder.conv_bn_relu(x, spec.stem, 3, "stem", strides=2, folded=folded)
    _, *dilations = specs.stage_dilations(spec.strides, output_stride)
    for stage, (blocks, dilation) in enumerate(zip(spec.stages, dilations, strict=True), start=1):
        for number, block in enumerate(blocks, start=1):
            x = bottleneck(
                block,
                expansion=block.expansion,
                filters=block.output,
                kernel_size=block.kernel,
                strides=block.stride,
                se_ratio=block.se_ratio,
                name=f"stage{stage}_block{number}",
                **builder.dilated(number == 1, *dilation),
            )(x)
    return builder.conv_bn_relu(x, spec.final, 1, "final", folded=folded)


def head(x: Tensor, spec: specs.GhostNetSpec) -> Tensor:
    """What is between the pooling and the classifier, of this network and its successors."""
    # In the paper a 1x1 convolution on the pooled maps: the same function, with one shape less.
    x = keras.layers.Dense(spec.head, kernel_initializer=kernel_initializer(), name="head")(x)
    return keras.layers.ReLU(name="head_relu")(x)
