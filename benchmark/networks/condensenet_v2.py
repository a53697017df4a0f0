"""CondenseNetV2-A in its converted form: learned group convolutions as selection and groups.

*CondenseNet V2: Sparse Feature Reactivation for Deep Networks*, Yang et al., CVPR 2021
(arXiv 2104.04382), and the authors' code (jianghaojun/CondenseNetV2). Which channels a group takes
is learned; here it is drawn.
"""

import dataclasses

import keras
import numpy as np

from keras_ghostnet.benchmark.networks import blocks
from keras_ghostnet.benchmark.networks.shuffle import channel_shuffle, concatenate, select

GROUPS = 8  # of all grouped convolutions, and the factor by which training thins them out
BOTTLENECK = 4  # channels between a layer's two convolutions over those that it adds
HEAD = dict(hidden=828, activation="hard_swish")  # dense layer in front of the classifier
HEAD_SE_RATIO = 16  # channels over hidden units of the gate behind the average pooling


@dataclasses.dataclass(frozen=True)
class DenseStage:
    """Densely connected layers; 2x2 average pooling follows all stages but the last."""

    layers: int
    growth: int
    activation: str
    se: bool


# fmt: off
STAGES = (
    #          layers  growth    activation     SE
    DenseStage(     1,      8,       "relu", False),  # 112 x 112
    DenseStage(     1,      8,       "relu", False),  #  56 x 56
    DenseStage(     4,     16, "hard_swish", False),  #  28 x 28
    DenseStage(     6,     32, "hard_swish",  True),  #  14 x 14
    DenseStage(     8,     64, "hard_swish",  True),  #   7 x 7
)
# fmt: on


def features(images):
    """The maps in front of the classifier, `(batch, 1, 1, 800)`."""
    draw = np.random.default_rng(0)
    x = blocks.conv(images, 2 * STAGES[0].growth, 3, strides=2, name="stem")
    for number, stage in enumerate(STAGES, start=1):
        if number > 1:
            x = keras.layers.AveragePooling2D(2, name=f"stage{number}_pool")(x)
        for layer in range(1, stage.layers + 1):
            x = dense_layer(x, stage, draw, f"stage{number}_layer{layer}")
    x = _activated(x, "relu", "last")
    x = keras.layers.GlobalAveragePooling2D(keepdims=True, name="mean")(x)
    hidden = blocks.channels(x) // HEAD_SE_RATIO
    return blocks.squeeze_excite(x, hidden, "sigmoid", use_bias=False, name="head_se")


def dense_layer(x, stage, draw, name):
    """Concatenates new channels, and adds a function of them to all channels that were there."""
    new = learned_group_convolution(x, BOTTLENECK * stage.growth, stage, draw, f"{name}_lgc")
    new = _activated(new, stage.activation, f"{name}_conv")
    new = blocks.conv(new, stage.growth, 3, groups=GROUPS, name=name)
    if stage.se:
        new = blocks.squeeze_excite(new, stage.growth, "sigmoid", use_bias=False, name=f"{name}_se")
    update = sparse_feature_reactivation(new, blocks.channels(x), stage, draw, f"{name}_sfr")
    x = keras.layers.Add(name=f"{name}_add")([x, update])
    return concatenate([x, new], f"{name}_concat")


def learned_group_convolution(x, filters, stage, draw, name):
    """Each group of a 1x1 convolution takes an eighth of the channels, of its own choice.

    Batch norm comes before the choice: behind it the authors' code has a copy for every group.
    """
    x, channels = _activated(x, stage.activation, name), blocks.channels(x)
    taken = [np.sort(draw.permutation(channels)[: channels // GROUPS]) for _ in range(GROUPS)]
    x = select(x, np.concatenate(taken).tolist())
    x = blocks.conv(x, filters, 1, groups=GROUPS, name=name)
    return channel_shuffle(x, GROUPS, f"{name}_shuffle")


def sparse_feature_reactivation(x, filters, stage, draw, name):
    """Each group of a 1x1 convolution adds to an eighth of the channels, of its own choice."""
    x = _activated(x, stage.activation, name)
    x = channel_shuffle(x, blocks.channels(x) // GROUPS, f"{name}_shuffle")
    x = blocks.conv(x, filters, 1, groups=GROUPS, name=name)
    return select(x, draw.permutation(filters).tolist())


def _activated(x, activation, name):
    """Batch norm and activation, which go before the convolutions here."""
    return blocks.activate(blocks.norm(x, name=name), activation, f"{name}_act")
