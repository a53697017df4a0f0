"""ShuffleNetV1 1.0x: grouped 1x1 convolutions in three groups, shuffled in between.

*ShuffleNet: An Extremely Efficient Convolutional Neural Network for Mobile Devices*, Zhang et al.,
CVPR 2018 (arXiv 1707.01083), table 1, g = 3, and the authors' code, which shuffles after the
depthwise convolution instead of before it: the same, on fewer places at stride 2.
"""

import keras

from keras_ghostnet.benchmark.networks import blocks
from keras_ghostnet.benchmark.networks.shuffle import channel_shuffle, concatenate

GROUPS = 3
STEM = 24  # 3x3 convolution of stride 2; a 3x3 max pooling of stride 2 follows


# fmt: off
STAGES = (  # units, the first of which has stride 2
    # output channels  repeats
    (             240,       4),  # 28 x 28
    (             480,       8),  # 14 x 14
    (             960,       4),  #  7 x 7
)
# fmt: on


def features(images):
    """The maps in front of the classifier."""
    x = blocks.pooled_stem(images, STEM)
    for number, (output, repeats) in enumerate(STAGES, start=2):
        for block in range(1, repeats + 1):
            # The stem's few channels are not worth groups (section 3.3).
            groups = 1 if number == 2 and block == 1 else GROUPS
            stride = 2 if block == 1 else 1
            x = unit(x, output, stride, groups, f"stage{number}_block{block}")
    return x


def unit(x, output, stride, groups, name):
    """Grouped 1x1 convolution, depthwise, shuffle, grouped 1x1 convolution, shortcut.

    At stride 2 the shortcut is average pooling over 3x3, and is concatenated instead of added.

    Args:
        x: A Keras tensor, a batch of maps.
        output: Output channels, a quarter of which are in between.
        stride: That of the depthwise convolution and of the shortcut.
        groups: Of the first convolution.
        name: What the layers' names begin with.
    """
    inputs, middle = x, output // 4
    added = output - blocks.channels(x) if stride == 2 else output
    x = blocks.conv_bn(x, middle, 1, groups=groups, name=f"{name}_reduce")
    x = blocks.depthwise_bn(x, 3, stride, activation=None, name=f"{name}_depthwise")
    x = channel_shuffle(x, middle // GROUPS, f"{name}_shuffle")
    x = blocks.conv_bn(x, added, 1, groups=GROUPS, activation=None, name=f"{name}_expand")
    if stride == 1:
        x = keras.layers.Add(name=f"{name}_add")([inputs, x])
        return blocks.activate(x, "relu", f"{name}_act")
    # PyTorch's average counts the zeros around the maps.
    shortcut = keras.layers.ZeroPadding2D(1, name=f"{name}_shortcut_pad")(inputs)
    shortcut = keras.layers.AveragePooling2D(3, 2, name=f"{name}_shortcut_pool")(shortcut)
    x = blocks.activate(x, "relu", f"{name}_act")
    return concatenate([shortcut, x], f"{name}_concat")
