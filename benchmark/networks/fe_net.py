"""FE-Net 1.0x: 1x1 convolutions and a few shifted channels in place of depthwise convolutions.

*All You Need Is a Few Shifts: Designing Efficient Convolutional Neural Networks for Image
Classification*, Chen et al., CVPR 2019 (arXiv 1903.05285), and the authors' code
(hikvision-research/SparseShiftLayer). That code multiplies a unit's output by the expansion, which
makes 410 M multiply-adds; a line in it that is commented out multiplies the input. So it is here:
it makes the 563 M that are published for 1.375x.
"""

import dataclasses

import keras

from keras_ghostnet.benchmark.networks import blocks
from keras_ghostnet.benchmark.networks.shuffle import concatenate, split
from keras_ghostnet.layers.convolution import PACKAGE

STEM = 16  # 3x3 convolution of stride 2 with batch norm, not activated
LAST = 1536  # 1x1 convolution; the 1380 of the authors' logs make 3.5 M parameters, not their 3.7
EXPANSION = 6  # in blocks
# Training decides which channels are shifted, and rewards few. Here it is one in ten, which is an
# assumption: no weights are published.
SHIFTED = 10


@dataclasses.dataclass(frozen=True)
class FeNetBlock:
    """A block: the last channels take in the others part by part, each time through a unit.

    Attributes:
        parts: Of the channels: halves of halves, the last two of one size.
        output: Output channels.
        pool: Whether the last unit halves the maps, by 2x2 average pooling instead of shifts.
    """

    parts: int
    output: int
    pool: bool


# fmt: off
BLOCKS = (
    #          parts  output   pool
    FeNetBlock(    3,     64,  True),  # 56 x 56 to 28 x 28
    FeNetBlock(    4,    128,  True),  #         to 14 x 14
    FeNetBlock(    4,    128, False),
    FeNetBlock(    4,    256,  True),  #         to  7 x  7
    FeNetBlock(    3,    256, False),
)
# fmt: on


def features(images):
    """The maps in front of the classifier."""
    x = blocks.conv_bn(images, STEM, 3, strides=2, activation=None, name="stem")
    x = unit(x, STEM, 4, pool=False, name="unit1")
    x = unit(x, 2 * STEM, 5, pool=True, name="unit2")
    for number, row in enumerate(BLOCKS, start=1):
        x = block(x, row, f"block{number}")
    return blocks.conv_bn(x, LAST, 1, name="last")


def block(x, row, name):
    """Units on ever more of the channels, with a shortcut each, and a last one on all of them."""
    channels = blocks.channels(x)
    ends = [channels - channels // 2**part for part in range(1, row.parts)]
    *waiting, x = split(x, ends)
    for number, untouched in enumerate(reversed(waiting), start=1):
        y = unit(x, blocks.channels(x), EXPANSION, pool=False, name=f"{name}_unit{number}")
        x = keras.layers.Add(name=f"{name}_unit{number}_add")([x, y])
        x = concatenate([untouched, x], f"{name}_concat{number}")
    return unit(x, row.output, EXPANSION, pool=row.pool, name=f"{name}_unit{row.parts}")


def unit(x, output, expansion, pool, name):
    """1x1 convolution (expand), sparse shift or 2x2 average pooling, linear 1x1 convolution."""
    x = blocks.conv_bn(x, blocks.channels(x) * expansion, 1, name=f"{name}_expand")
    if pool:
        x = keras.layers.AveragePooling2D(2, name=f"{name}_pool")(x)
    else:
        x = sparse_shift(x, f"{name}_shift")
    return blocks.conv_bn(x, output, 1, activation=None, name=f"{name}_project")


def sparse_shift(x, name):
    """Moves some channels by one place, in one of the eight directions.

    The 1x1 convolutions around it may have their channels in any order: those that move are the
    last. A depthwise convolution moves them. It multiplies by zeros, but in XNNPACK that is cheaper
    than to slice and pad for every direction.
    """
    channels = blocks.channels(x)
    still, moved = split(x, [channels - channels // SHIFTED])
    moved = keras.layers.DepthwiseConv2D(
        3,
        padding="same",
        use_bias=False,
        depthwise_initializer=Displacements(),
        trainable=False,
        name=f"{name}_depthwise",
    )(moved)
    return concatenate([still, moved], f"{name}_concat")


@keras.saving.register_keras_serializable(package=PACKAGE)
class Displacements(keras.initializers.Initializer):
    """Depthwise 3x3 kernels with a single 1: each takes a neighbor's value, all eight in turn."""

    def __call__(self, shape, dtype=None):
        neighbors = [place for place in range(9) if place != 4]
        places = [neighbors[channel % 8] for channel in range(shape[2])]
        kernel = keras.ops.transpose(keras.ops.one_hot(places, 9, dtype=dtype))
        return keras.ops.reshape(kernel, shape)
