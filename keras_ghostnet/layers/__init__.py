"""The building blocks as Keras layers, for custom networks."""

from keras_ghostnet.layers.basic_block import GhostBasicBlock
from keras_ghostnet.layers.convolution import GroupedConv2D
from keras_ghostnet.layers.ghost import GhostBottleneck, GhostModule, SqueezeExcite
from keras_ghostnet.layers.normalization import BatchNormalization
from keras_ghostnet.layers.regnet import GGhostStage, RegNetBlock

__all__ = [
    "BatchNormalization",
    "GGhostStage",
    "GhostBasicBlock",
    "GhostBottleneck",
    "GhostModule",
    "GroupedConv2D",
    "RegNetBlock",
    "SqueezeExcite",
]
