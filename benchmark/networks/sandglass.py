"""MobileNeXt: sandglass blocks, which keep the shortcut and the depthwise convolutions wide.

*Rethinking Bottleneck Structure for Efficient Mobile Network Design*, Zhou et al., ECCV 2020
(arXiv 2007.02269), table 2, and the authors' code, which is followed where the two differ.
"""

import dataclasses
import math

import keras

from keras_ghostnet.benchmark.networks import blocks
from keras_ghostnet.specs import make_divisible

STEM = 32  # 3x3 convolution of stride 2


@dataclasses.dataclass(frozen=True)
class SandglassRows:
    """Sandglass blocks of one kind, one after another; the stride is that of the first."""

    reduction: int
    output: int
    stride: int
    repeats: int


# fmt: off
MOBILENEXT = (
    #           reduction  output  stride  repeats
    SandglassRows(      2,     96,      2,       1),  # 56 x 56
    SandglassRows(      6,    144,      1,       1),
    SandglassRows(      6,    192,      2,       3),  # 28 x 28
    SandglassRows(      6,    288,      2,       3),  # 14 x 14
    SandglassRows(      6,    384,      1,       4),
    SandglassRows(      6,    576,      2,       4),  #  7 x 7
    SandglassRows(      6,    960,      1,       3),
    SandglassRows(      6,   1280,      1,       1),
)
# fmt: on


def features(images):
    """The maps in front of the classifier of MobileNeXt 1.0."""
    x = blocks.conv_bn(images, STEM, 3, strides=2, activation="relu6", name="stem")
    for stage, rows in enumerate(MOBILENEXT, start=1):
        for number in range(1, rows.repeats + 1):
            x = sandglass(x, rows, first=number == 1, name=f"stage{stage}_block{number}")
    return x


def sandglass(x, rows, first, name):
    """Depthwise, two linear 1x1 convolutions over a narrow waist, depthwise, shortcut.

    The first block of a stage that has several leaves the first depthwise convolution out, and
    at stride 1 the second one too (authors' code). The shortcut is there where shapes agree.
    """
    inputs, channels = x, blocks.channels(x)
    stride = rows.stride if first else 1
    is_transition = first and rows.repeats > 1
    if not is_transition:
        x = blocks.depthwise_bn(x, 3, activation="relu6", name=f"{name}_depthwise1")
    waist = channels // rows.reduction
    if waist < rows.output / 6:
        waist = make_divisible(math.ceil(rows.output / 6), 16)
    x = blocks.conv_bn(x, waist, 1, activation=None, name=f"{name}_reduce")
    x = blocks.conv_bn(x, rows.output, 1, activation="relu6", name=f"{name}_expand")
    if stride > 1 or not is_transition:
        x = blocks.depthwise_bn(x, 3, stride, activation=None, name=f"{name}_depthwise2")
    if stride > 1 or channels != rows.output:
        return x
    return keras.layers.Add(name=f"{name}_add")([inputs, x])
