"""MobileNetV4-Conv-S: universal inverted bottlenecks, with up to two depthwise convolutions.

*MobileNetV4: Universal Models for the Mobile Ecosystem*, Qin et al., ECCV 2024 (arXiv 2404.10518),
table 11.
"""

import dataclasses

import keras

from keras_ghostnet.benchmark.networks import blocks

STEM = 32  # 3x3 convolution of stride 2
LAST = 960  # 1x1 convolution after the last block
HEAD = 1280  # 1x1 convolution with batch norm after the pooling


@dataclasses.dataclass(frozen=True)
class UniversalRows:
    """Universal inverted bottlenecks of one kind; the stride is that of the first.

    Attributes:
        first: Kernel of the depthwise convolution before the expansion; 0 for none.
        middle: Kernel of the one after it; 0 for none.
    """

    first: int
    middle: int
    stride: int
    expansion: int
    output: int
    repeats: int = 1


# fmt: off
CONVOLUTIONS = (  # with batch norm and ReLU
    # kernel  stride  output
    (      3,      2,     32),  # 56 x 56
    (      1,      1,     32),
    (      3,      2,     96),  # 28 x 28
    (      1,      1,     64),
)
ROWS = (
    #             first  middle  stride  expansion  output  repeats
    UniversalRows(    5,      5,      2,         3,     96),    # 14 x 14
    UniversalRows(    0,      3,      1,         2,     96,    4),
    UniversalRows(    3,      0,      1,         4,     96),
    UniversalRows(    3,      3,      2,         6,    128),    #  7 x  7
    UniversalRows(    5,      5,      1,         4,    128),
    UniversalRows(    0,      5,      1,         4,    128),
    UniversalRows(    0,      5,      1,         3,    128),
    UniversalRows(    0,      3,      1,         4,    128,    2),
)
# fmt: on


def features(images):
    """The maps in front of the classifier, `(batch, 1, 1, 1280)`."""
    x = blocks.conv_bn(images, STEM, 3, 2, name="stem")
    for number, (kernel, stride, output) in enumerate(CONVOLUTIONS, start=1):
        x = blocks.conv_bn(x, output, kernel, stride, name=f"conv{number}")
    chain = [row for row in ROWS for _ in range(row.repeats)]
    for number, row in enumerate(chain, start=1):
        x = universal_inverted_bottleneck(x, row, f"block{number}")
    x = blocks.conv_bn(x, LAST, 1, name="last")
    x = keras.layers.GlobalAveragePooling2D(keepdims=True, name="mean")(x)
    return blocks.conv_bn(x, HEAD, 1, name="head")


def universal_inverted_bottleneck(x, row, name):
    """Linear depthwise, 1x1 (expand), depthwise, linear 1x1 convolution, shortcut.

    Rows that repeat have a stride of 1. The input is added where shapes agree.
    """
    inputs, channels = x, blocks.channels(x)
    if row.first:
        x = blocks.depthwise_bn(x, row.first, activation=None, name=f"{name}_depthwise1")
    x = blocks.conv_bn(x, channels * row.expansion, 1, name=f"{name}_expand")
    if row.middle:
        x = blocks.depthwise_bn(x, row.middle, row.stride, name=f"{name}_depthwise2")
    x = blocks.conv_bn(x, row.output, 1, activation=None, name=f"{name}_project")
    if row.stride > 1 or channels != row.output:
        return x
    return keras.layers.Add(name=f"{name}_add")([inputs, x])
