"""One small sample of each layer, for the tests that all layers pass."""

import keras

from keras_ghostnet import layers

CHANNELS = 8
SIZE = 9  # odd, so that a stride of 2 meets a border
# Constructors' arguments, several of them unlike the defaults.
SAMPLES = {
    "grouped": (layers.GroupedConv2D, dict(filters=4, kernel_size=3, groups=2, strides=2)),
    "ghost": (layers.GhostModule, dict(filters=6)),
    "ghost_cut": (
        layers.GhostModule,
        dict(filters=7, kernel_size=3, ratio=3, cheap_kernel_size=5, strides=2, activation="silu"),
    ),
    "ghost_valid": (
        layers.GhostModule,
        dict(filters=6, kernel_size=3, padding="valid", dilation_rate=2, activation=None),
    ),
    "se": (
        layers.SqueezeExcite,
        dict(ratio=0.5, divisor=2, activation="tanh", gate_activation="sigmoid"),
    ),
    "basic_block": (layers.GhostBasicBlock, dict(filters=CHANNELS)),
    "basic_block_strided": (layers.GhostBasicBlock, dict(filters=12, strides=2)),
    "bottleneck": (layers.GhostBottleneck, dict(expansion=12, filters=CHANNELS)),
    "bottleneck_strided": (
        layers.GhostBottleneck,
        dict(expansion=12, filters=6, kernel_size=5, strides=2, se_ratio=0.25, ratio=3),
    ),
    "bottleneck_dilated": (
        layers.GhostBottleneck,
        dict(expansion=12, filters=6, dilation_rate=2, padding="same", cheap_kernel_size=5),
    ),
    "attention": (layers.DFCAttention, dict(filters=6)),
    "branches": (layers.GhostModule, dict(filters=6, attention=True, branches=2)),
    "rep_conv": (
        layers.RepConv2D,
        dict(filters=6, kernel_size=5, branches=2, pointwise=True, strides=2),
    ),
    "bottleneck_branches": (
        layers.GhostBottleneck,
        dict(expansion=12, filters=6, strides=2, attention=True, branches=2),
    ),
    "rep_bottleneck": (
        layers.RepGhostBottleneck,
        dict(expansion=6, filters=CHANNELS, kernel_size=5, dilation_rate=2, cheap_kernel_size=5),
    ),
    "bottleneck_spread": (
        layers.GhostBottleneck,
        dict(expansion=12, filters=6, strides=2, input_dilation=2, dilate=True),
    ),
    "regnet": (layers.RegNetBlock, dict(filters=CHANNELS, group_width=4)),
    "regnet_strided": (
        layers.RegNetBlock,
        dict(filters=12, group_width=6, strides=2, activation="silu"),
    ),
    "regnet_dilated": (layers.RegNetBlock, dict(filters=6, group_width=8, dilation_rate=2)),
    "stage": (layers.GGhostStage, dict(filters=16, depth=3, group_width=4)),
    "stage_spread": (
        layers.GGhostStage,
        dict(filters=16, depth=3, group_width=4, input_dilation=2, dilate=True),
    ),
}
BLOCKS = [name for name in SAMPLES if name != "grouped"]


def make(sample, **options):
    """A new layer of a sample, some of its arguments replaced or added."""
    kind, arguments = SAMPLES[sample]
    return kind(**{**arguments, **options})


def shape(data_format="channels_last"):
    """The shape of an image for any sample."""
    if data_format == "channels_last":
        return (SIZE, SIZE, CHANNELS)
    return (CHANNELS, SIZE, SIZE)


def parts(layer):
    """All stock layers that a layer is made of, itself left out."""
    below = []
    for part in layer._layers:  # Keras' own list; there is no public one of a layer
        below += [part, *parts(part)]
    return below


def norms(layer):
    """The batch norms in a layer."""
    return [part for part in parts(layer) if isinstance(part, keras.layers.BatchNormalization)]
