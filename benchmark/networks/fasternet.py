"""FasterNet-T0: a quarter of the channels goes through a 3x3 convolution, then all through 1x1.

*Run, Don't Walk: Chasing Higher FLOPS for Faster Neural Networks*, Chen et al., CVPR 2023
(arXiv 2303.03667), table 6, and the authors' code (JierunChen/FasterNet).
"""

import keras

from keras_ghostnet.benchmark.networks import blocks
from keras_ghostnet.benchmark.networks.shuffle import concatenate, split

PARTIAL = 4  # channels over those that the 3x3 convolutions take
EXPANSION = 2  # between a block's 1x1 convolutions
HEAD = 1280  # 1x1 convolution without batch norm after the pooling

# fmt: off
STAGES = (  # a convolution with batch norm begins each, whose kernel is as large as its stride
    # stride  channels  blocks
    (      4,       40,      1),  # 56 x 56
    (      2,       80,      2),  # 28 x 28
    (      2,      160,      8),  # 14 x 14
    (      2,      320,      2),  #  7 x  7
)
# fmt: on


def features(images):
    """The maps in front of the classifier, `(batch, 1, 1, 1280)`."""
    x = images
    for stage, (stride, output, repeats) in enumerate(STAGES, start=1):
        name = f"stage{stage}_merging"
        x = blocks.conv_bn(x, output, stride, stride, None, padding="valid", name=name)
        for number in range(1, repeats + 1):
            x = block(x, f"stage{stage}_block{number}")
    x = keras.layers.GlobalAveragePooling2D(keepdims=True, name="mean")(x)
    return blocks.activate(blocks.conv(x, HEAD, 1, name="head"), "gelu", "head_act")


def block(x, name):
    """Partial convolution, 1x1 convolution (expand), 1x1 without batch norm, shortcut."""
    inputs, channels = x, blocks.channels(x)
    taken, kept = split(x, [channels // PARTIAL])
    taken = blocks.conv(taken, channels // PARTIAL, 3, name=f"{name}_partial")
    x = concatenate([taken, kept], f"{name}_concat")
    x = blocks.conv_bn(x, EXPANSION * channels, 1, activation="gelu", name=f"{name}_expand")
    x = blocks.conv(x, channels, 1, name=f"{name}_project")
    return keras.layers.Add(name=f"{name}_add")([inputs, x])
