"""ShuffleNetV1 1.0x: grouped 1x1 convolutions in three groups, shuffled in between.

*ShuffleNet: An Extremely Efficient Convolutional Neural Network for Mobile Devices*, Zhang et al.,
CVPR 2018 (arXiv 1707.01083), table 1, g = 3, and the authors' code, which shuffles after the
depthwise convolution instead of before it: the same, on fewer places at stride 2.
"""

import dataclasses

import keras

from keras_ghostnet.benchmark.networks import parts
from keras_ghostnet.benchmark.networks.shuffle import channel_shuffle, concatenate

GROUPS = 3
STEM = 24  # 3x3 convolution of stride 2; a 3x3 max pooling of stride 2 follows


@dataclasses.dataclass(frozen=True)
class Stage:
    """Units of as many output channels; the first has stride 2."""

    output: int
    repeats: int


# fmt: off
STAGES = (
    #     output  repeats
    Stage(   240,       4),  # 28 x 28
    Stage(   480,       8),  # 14 x 14
    Stage(   960,       4),  #  7 x 7
)
# fmt: on


def build(size, name):
    """ShuffleNetV1 1.0x with three groups.

    Args:
        size: Side of the image in pixels.
        name: The model's name.

    Returns:
        A `keras.Model` of images `(batch, size, size, 3)` that puts out the logits of 1000
        classes.
    """
    inputs = parts.image(size)
    x = parts.pooled_stem(inputs, STEM)
    for number, stage in enumerate(STAGES, start=2):
        for block in range(1, stage.repeats + 1):
            # The stem's few channels are not worth groups (section 3.3).
            groups = 1 if number == 2 and block == 1 else GROUPS
            stride = 2 if block == 1 else 1
            x = unit(x, stage.output, stride, groups, f"stage{number}_block{block}")
    return keras.Model(inputs, parts.classifier(x), name=name)


def unit(x, output, stride, groups, name):
    """Grouped 1x1 convolution, depthwise, shuffle, grouped 1x1 convolution, shortcut.

    At stride 2 the shortcut is a mean over 3x3, and is concatenated instead of added.

    Args:
        x: A Keras tensor, a batch of maps.
        output: Output channels, a quarter of which are in between.
        stride: That of the depthwise convolution and of the shortcut.
        groups: Of the first convolution.
        name: What the layers' names begin with.
    """
    inputs, middle = x, output // 4
    added = output - parts.channels(x) if stride == 2 else output
    x = parts.conv_bn(x, middle, 1, groups=groups, name=f"{name}_reduce")
    x = parts.depthwise_bn(x, 3, stride, activation=None, name=f"{name}_depthwise")
    x = channel_shuffle(x, middle // GROUPS, f"{name}_shuffle")
    x = parts.conv_bn(x, added, 1, groups=GROUPS, activation=None, name=f"{name}_expand")
    if stride == 1:
        x = keras.layers.Add(name=f"{name}_add")([inputs, x])
        return parts.activate(x, "relu", f"{name}_act")
    # PyTorch's mean counts the zeros around the maps.
    shortcut = keras.layers.ZeroPadding2D(1, name=f"{name}_shortcut_pad")(inputs)
    shortcut = keras.layers.AveragePooling2D(3, 2, name=f"{name}_shortcut_pool")(shortcut)
    x = parts.activate(x, "relu", f"{name}_act")
    return concatenate([shortcut, x], f"{name}_concat")
