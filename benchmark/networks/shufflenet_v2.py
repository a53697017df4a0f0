"""ShuffleNetV2: half of the channels pass a block unchanged; then all are shuffled.

*ShuffleNet V2: Practical Guidelines for Efficient CNN Architecture Design*, Ma et al., ECCV 2018
(arXiv 1807.11164), table 5.
"""

from keras_ghostnet.benchmark.networks import blocks
from keras_ghostnet.benchmark.networks.shuffle import channel_shuffle, concatenate, shuffled_halves

STEM = 24  # 3x3 convolution of stride 2; a 3x3 max pooling of stride 2 follows
LAST = 1024  # 1x1 convolution after the last stage; does not scale up to width 1.5
REPEATS = (4, 8, 4)  # blocks of stage 2 (28 x 28), 3 (14 x 14) and 4 (7 x 7)

# fmt: off
WIDTHS = {
    # width  stage 2  stage 3  stage 4
    0.5:    (     48,      96,     192),
    1.0:    (    116,     232,     464),
    1.5:    (    176,     352,     704),
}
# fmt: on


def features(images, width):
    """The maps in front of the classifier.

    Args:
        images: A Keras tensor.
        width: A key of `WIDTHS`.
    """
    x = blocks.pooled_stem(images, STEM)
    for stage, (channels, repeats) in enumerate(zip(WIDTHS[width], REPEATS, strict=True), start=2):
        x = reduction(x, channels // 2, f"stage{stage}_block1")
        for block in range(2, repeats + 1):
            kept, changed = shuffled_halves(x, f"stage{stage}_block{block - 1}_shuffle")
            place = f"stage{stage}_block{block}"
            changed = branch(changed, channels // 2, 1, f"{place}_branch2")
            x = concatenate([kept, changed], f"{place}_concat")
        x = channel_shuffle(x, 2, f"stage{stage}_block{repeats}_shuffle")
    return blocks.conv_bn(x, LAST, 1, name="last")


def reduction(x, channels, name):
    """A block of stride 2: two branches of all input channels, concatenated."""
    kept = blocks.depthwise_bn(x, 3, 2, activation=None, name=f"{name}_branch1_depthwise")
    kept = blocks.conv_bn(kept, channels, 1, name=f"{name}_branch1_project")
    changed = branch(x, channels, 2, f"{name}_branch2")
    return concatenate([kept, changed], f"{name}_concat")


def branch(x, channels, stride, name):
    """1x1 convolution, depthwise, 1x1 convolution, as many channels throughout."""
    x = blocks.conv_bn(x, channels, 1, name=f"{name}_expand")
    x = blocks.depthwise_bn(x, 3, stride, activation=None, name=f"{name}_depthwise")
    return blocks.conv_bn(x, channels, 1, name=f"{name}_project")
