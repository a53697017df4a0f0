"""RepViT-M0.9 as it is deployed, its branches folded: a ViT's macro design, of convolutions alone.

*RepViT: Revisiting Mobile CNN From ViT Perspective*, Wang et al., CVPR 2024 (arXiv 2307.09283), and
the authors' code (THU-MIG/RepViT). In training, a depthwise convolution has a 1x1 branch and a
shortcut beside it, and the classifier a second one to distill into: all linear, so that they fold.
"""

import keras

from keras_ghostnet.benchmark.networks import blocks
from keras_ghostnet.specs import make_divisible

STEM = (24, 48)  # 3x3 convolutions of stride 2, the second without activation
EXPANSION = 2  # in the channel mixers
SE_RATIO, SE_DIVISOR = 0.25, 8  # of the gates, in every second block

# fmt: off
STAGES = (
    # channels  blocks
    (       48,      2),  # 56 x 56
    (       96,      2),  # 28 x 28
    (      192,     14),  # 14 x 14
    (      384,      2),  #  7 x  7
)
# fmt: on


def features(images):
    """The maps in front of the classifier."""
    x = blocks.conv_bn(images, STEM[0], 3, 2, "gelu", name="stem1")
    x = blocks.conv_bn(x, STEM[1], 3, 2, None, name="stem2")
    for stage, (output, repeats) in enumerate(STAGES, start=1):
        if stage > 1:
            x = reduction(x, output, f"stage{stage}_reduction")
        for number in range(repeats):
            x = block(x, has_gate=number % 2 == 0, name=f"stage{stage}_block{number + 1}")
    return x


def block(x, has_gate, name):
    """A token mixer, depthwise, a gate, and a channel mixer."""
    x = blocks.depthwise_bn(x, 3, activation=None, name=f"{name}_token_mixer")
    if has_gate:
        hidden = make_divisible(SE_RATIO * blocks.channels(x), SE_DIVISOR)
        x = blocks.squeeze_excite(x, hidden, "sigmoid", name=f"{name}_se")
    return channel_mixer(x, name)


def channel_mixer(x, name):
    """1x1 convolution (expand), linear 1x1 convolution, shortcut."""
    inputs, channels = x, blocks.channels(x)
    x = blocks.conv_bn(x, EXPANSION * channels, 1, activation="gelu", name=f"{name}_expand")
    x = blocks.conv_bn(x, channels, 1, activation=None, name=f"{name}_project")
    return keras.layers.Add(name=f"{name}_add")([inputs, x])


def reduction(x, output, name):
    """Between two stages: a block, linear depthwise of stride 2, linear 1x1, a channel mixer."""
    x = block(x, has_gate=False, name=f"{name}_block")
    x = blocks.depthwise_bn(x, 3, 2, activation=None, name=f"{name}_depthwise")
    x = blocks.conv_bn(x, output, 1, activation=None, name=f"{name}_pointwise")
    return channel_mixer(x, name)
