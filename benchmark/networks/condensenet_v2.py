"""CondenseNetV2-A in its converted form: learned group convolutions as selection and groups.

*CondenseNet V2: Sparse Feature Reactivation for Deep Networks*, Yang et al., CVPR 2021
(arXiv 2104.04382), and the authors' code (jianghaojun/CondenseNetV2). Which channels a group takes
is learned; here it is drawn.
"""

import dataclasses

import keras
import numpy as np

from keras_ghostnet.benchmark.networks import parts
from keras_ghostnet.benchmark.networks.shuffle import channel_shuffle, concatenate, select
from keras_ghostnet.layers.convolution import batch_norm, convolution

GROUPS = 8  # of all grouped convolutions, and the factor by which training thins them out
BOTTLENECK = 4  # channels between a layer's two convolutions over those that it adds
HEAD = 828  # dense layer in front of the classifier
HEAD_SE_RATIO = 16  # channels over hidden units of the gate behind the mean


@dataclasses.dataclass(frozen=True)
class Stage:
    """Densely connected layers; a 2x2 mean follows all stages but the last."""

    layers: int
    growth: int
    activation: str
    se: bool


# fmt: off
STAGES = (
    #     layers  growth    activation     SE
    Stage(     1,      8,       "relu", False),  # 112 x 112
    Stage(     1,      8,       "relu", False),  #  56 x 56
    Stage(     4,     16, "hard_swish", False),  #  28 x 28
    Stage(     6,     32, "hard_swish",  True),  #  14 x 14
    Stage(     8,     64, "hard_swish",  True),  #   7 x 7
)
# fmt: on


def build(size, name):
    """CondenseNetV2-A.

    Args:
        size: Side of the image in pixels.
        name: The model's name.

    Returns:
        A `keras.Model` of images `(batch, size, size, 3)` that puts out the logits of 1000
        classes.
    """
    inputs = parts.image(size)
    draw = np.random.default_rng(0)
    x = _convolution(inputs, 2 * STAGES[0].growth, 3, "stem_conv", strides=2)
    for number, stage in enumerate(STAGES, start=1):
        if number > 1:
            x = keras.layers.AveragePooling2D(2, name=f"stage{number}_pool")(x)
        for layer in range(1, stage.layers + 1):
            x = dense_layer(x, stage, draw, f"stage{number}_layer{layer}")
    x = _activated(x, "relu", "last")
    x = keras.layers.GlobalAveragePooling2D(keepdims=True, name="mean")(x)
    hidden = parts.channels(x) // HEAD_SE_RATIO
    x = parts.squeeze_excite(x, hidden, "sigmoid", use_bias=False, name="head_se")
    logits = parts.classifier(x, hidden=HEAD, activation="hard_swish")
    return keras.Model(inputs, logits, name=name)


def dense_layer(x, stage, draw, name):
    """Adds channels to the maps, and to all channels that are there what the new ones tell."""
    new = learned_group_convolution(x, BOTTLENECK * stage.growth, stage, draw, f"{name}_lgc")
    new = _activated(new, stage.activation, f"{name}_conv")
    new = _convolution(new, stage.growth, 3, f"{name}_conv", groups=GROUPS)
    if stage.se:
        new = parts.squeeze_excite(new, stage.growth, "sigmoid", use_bias=False, name=f"{name}_se")
    told = sparse_feature_reactivation(new, parts.channels(x), stage, draw, f"{name}_sfr")
    x = keras.layers.Add(name=f"{name}_add")([x, told])
    return concatenate([x, new], f"{name}_concat")


def learned_group_convolution(x, filters, stage, draw, name):
    """Each group of a 1x1 convolution takes an eighth of the channels, of its own choice.

    Batch norm comes before the choice: behind it the authors' code has a copy for every group.
    """
    x, channels = _activated(x, stage.activation, name), parts.channels(x)
    taken = [np.sort(draw.permutation(channels)[: channels // GROUPS]) for _ in range(GROUPS)]
    x = select(x, np.concatenate(taken).tolist())
    x = _convolution(x, filters, 1, f"{name}_conv", groups=GROUPS)
    return channel_shuffle(x, GROUPS, f"{name}_shuffle")


def sparse_feature_reactivation(x, filters, stage, draw, name):
    """Each group of a 1x1 convolution adds to an eighth of the channels, of its own choice."""
    x = _activated(x, stage.activation, name)
    x = channel_shuffle(x, parts.channels(x) // GROUPS, f"{name}_shuffle")
    x = _convolution(x, filters, 1, f"{name}_conv", groups=GROUPS)
    return select(x, draw.permutation(filters).tolist())


def _activated(x, activation, name):
    """Batch norm and activation, which go before the convolutions here."""
    x = batch_norm(f"{name}_bn", keras.config.image_data_format())(x)
    return parts.activate(x, activation, f"{name}_act")


def _convolution(x, filters, kernel, name, **options):
    data_format = keras.config.image_data_format()
    for layer in convolution(filters, kernel, name, data_format=data_format, **options):
        x = layer(x)
    return x
