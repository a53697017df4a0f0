"""StarNet-S1: two linear maps of the channels, multiplied with each other.

*Rewrite the Stars*, Ma et al., CVPR 2024 (arXiv 2403.19967), and the authors' code
(ma-xu/Rewrite-the-Stars), whose convolutions have biases in front of batch norms, too.
"""

import functools

import keras

from keras_ghostnet.benchmark.networks import blocks

STEM = 32  # 3x3 convolution of stride 2
EXPANSION = 4  # in blocks
conv, conv_bn = (functools.partial(part, use_bias=True) for part in (blocks.conv, blocks.conv_bn))

# fmt: off
STAGES = (  # a 3x3 convolution of stride 2 begins each
    # channels  blocks
    (       24,      2),  # 56 x 56
    (       48,      2),  # 28 x 28
    (       96,      8),  # 14 x 14
    (      192,      3),  #  7 x  7
)
# fmt: on


def features(images):
    """The maps in front of the classifier."""
    x = conv_bn(images, STEM, 3, 2, "relu6", name="stem")
    for stage, (output, repeats) in enumerate(STAGES, start=1):
        x = conv_bn(x, output, 3, 2, None, name=f"stage{stage}_reduction")
        for number in range(1, repeats + 1):
            x = star_block(x, f"stage{stage}_block{number}")
    return blocks.norm(x, name="last")


def star_block(x, name):
    """Depthwise 7x7, the star, linear 1x1, depthwise 7x7 without batch norm, shortcut.

    The star: two 1x1 convolutions side by side, one of them activated, and their product.
    """
    inputs, channels = x, blocks.channels(x)
    x = conv_bn(x, None, 7, activation=None, name=f"{name}_depthwise1")
    left, right = (conv(x, EXPANSION * channels, 1, name=f"{name}_star{i}") for i in (1, 2))
    left = blocks.activate(left, "relu6", f"{name}_star1_act")
    x = keras.layers.Multiply(name=f"{name}_star")([left, right])
    x = conv_bn(x, channels, 1, activation=None, name=f"{name}_project")
    x = conv(x, None, 7, name=f"{name}_depthwise2")
    return keras.layers.Add(name=f"{name}_add")([inputs, x])
