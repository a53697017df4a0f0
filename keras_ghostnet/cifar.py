"""VGG-16 and ResNet-56 for CIFAR whose convolutions are ghost modules, and the plain networks.

*GhostNet: More Features from Cheap Operations*, Han et al., CVPR 2020 (arXiv 1911.11907),
section 4.1. The authors published no code of these two. What they left open follows from their
figures:

- VGG-16 has a hidden dense layer of 512 units, as in S. Zagoruyko's *92.45 % on CIFAR-10 in Torch*
  (2015), and its first convolution is a ghost module too: so it has the parameters and the
  convolutions' multiply-adds of all rows of the paper, those of other s and d included. With one
  dense layer, or with a plain first convolution, several rows differ.
- ResNet-56 has shortcuts without parameters: with projections it would have 0.86 M and 126 M
  multiply-adds. The 0.43 M and 63 M of its Ghost network are those of 1x1 cheap operations; 3x3
  ones make 0.44 M and 65 M. Its first convolution is plain, as the first author says of their
  experiments in general (TingsongYu/ghostnet_cifar10#1): here the figures allow it.
"""

import os

import keras

from keras_ghostnet import builder, specs
from keras_ghostnet.layers import GhostModule
from keras_ghostnet.layers.basic_block import GhostBasicBlock
from keras_ghostnet.layers.convolution import batch_norm, kernel_initializer
from keras_ghostnet.layers.types import Activation, Shape, Tensor

OWN_WEIGHTS = """\
None (random), the path of a Keras 3 file of the same network, `.weights.h5` or `.keras`,
    or a training run's folder; there are no published weights. `classifier_activation` can only
    be None or `"softmax"` then."""


@builder.document(features=512, weights=OWN_WEIGHTS, output_stride="", image_size=specs.CIFAR_SIZE)
def GhostVGG16(
    ratio: int = 2,
    cheap_kernel_size: int = 3,
    *,
    include_top: bool = True,
    weights: str | os.PathLike[str] | None = None,
    input_tensor: Tensor | None = None,
    input_shape: Shape | None = None,
    pooling: str | None = None,
    classes: int = 10,
    classifier_activation: Activation = "softmax",
    dropout_rate: float = 0.0,
    name: str | None = None,
) -> keras.Model:
    """VGG-16 with batch norm for CIFAR, its 13 convolutions ghost modules.

    Reference: [GhostNet: More Features from Cheap Operations](
    https://arxiv.org/abs/1911.11907) (CVPR 2020), section 4.1. Accuracies are the paper's, on
    CIFAR-10; parameters and multiply-adds are counted.

    | Ratio     | Parameters | MACs    | Accuracy |
    |-----------|------------|---------|----------|
    | 1 (plain) |    14.99 M | 313.5 M |   93.6 % |
    | 2         |     7.65 M | 158.1 M |   93.7 % |
    | 3         |     5.22 M | 107.2 M |   93.4 % |
    | 4         |     3.98 M |  80.4 M |   93.0 % |
    | 5         |     3.27 M |  65.7 M |   92.9 % |

    Args:
        ratio: Feature maps per intrinsic map, an integer; 1 makes plain convolutions.
        cheap_kernel_size: Size of the depthwise convolutions that make them, odd.
        {arguments}

    {results}
    """
    return builder.build(
        specs.ghost_vgg16(ratio, cheap_kernel_size),
        _vgg_backbone,
        _vgg_head,
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


def _vgg_backbone(x, spec):
    for stage, row in enumerate(spec.stages, start=1):
        for number, filters in enumerate(row, start=1):
            x = GhostModule(
                filters,
                kernel_size=3,
                ratio=spec.ratio,
                cheap_kernel_size=spec.cheap_kernel_size,
                name=f"stage{stage}_ghost{number}",
            )(x)
        x = keras.layers.MaxPooling2D(2, padding="same", name=f"stage{stage}_pool")(x)
    return x


def _vgg_head(x, spec):
    dense = keras.layers.Dense(
        specs.VGG16_HEAD, use_bias=False, kernel_initializer=kernel_initializer(), name="head"
    )
    return keras.layers.ReLU(name="head_relu")(batch_norm("head_bn", "channels_last")(dense(x)))


@builder.document(
    features=64, weights=OWN_WEIGHTS, output_stride="", image_size=specs.CIFAR_SIZE, stride=4
)
def GhostResNet56(
    ratio: int = 2,
    cheap_kernel_size: int = 1,
    *,
    include_top: bool = True,
    weights: str | os.PathLike[str] | None = None,
    input_tensor: Tensor | None = None,
    input_shape: Shape | None = None,
    pooling: str | None = None,
    classes: int = 10,
    classifier_activation: Activation = "softmax",
    dropout_rate: float = 0.0,
    name: str | None = None,
) -> keras.Model:
    """ResNet-56 for CIFAR, the convolutions of its 27 blocks ghost modules.

    Reference: [GhostNet: More Features from Cheap Operations](
    https://arxiv.org/abs/1911.11907) (CVPR 2020), section 4.1. Accuracies are the paper's, on
    CIFAR-10; parameters and multiply-adds are counted. The paper's are those of the second row.

    | Ratio     | Cheap kernel | Parameters | MACs    | Accuracy |
    |-----------|--------------|------------|---------|----------|
    | 1 (plain) |              |     0.85 M | 125.5 M |   93.0 % |
    | 2         |            1 |     0.43 M |  63.2 M |   92.7 % |
    | 2         |            3 |     0.44 M |  65.3 M |          |

    Args:
        ratio: Feature maps per intrinsic map, an integer; 1 makes plain convolutions.
        cheap_kernel_size: Size of the depthwise convolutions that make them, odd.
        {arguments}

    {results}
    """
    return builder.build(
        specs.ghost_resnet56(ratio, cheap_kernel_size),
        _resnet_backbone,
        lambda x, spec: x,
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


def _resnet_backbone(x, spec):
    x = builder.conv_bn_relu(x, specs.RESNET56_STEM, 3, "stem")
    for stage, (filters, blocks) in enumerate(spec.stages, start=1):
        for number in range(1, blocks + 1):
            x = GhostBasicBlock(
                filters,
                strides=2 if stage > 1 and number == 1 else 1,
                ratio=spec.ratio,
                cheap_kernel_size=spec.cheap_kernel_size,
                name=f"stage{stage}_block{number}",
            )(x)
    return x
