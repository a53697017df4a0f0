"""The building blocks as Keras layers, for custom networks."""

from keras_ghostnet.layers.attention import DFCAttention, SqueezeExcite
from keras_ghostnet.layers.basic_block import GhostBasicBlock
from keras_ghostnet.layers.convolution import GroupedConv2D
from keras_ghostnet.layers.ghost import GhostBottleneck, GhostModule
from keras_ghostnet.layers.normalization import BatchNormalization
from keras_ghostnet.layers.pyramid import FeaturePyramid
from keras_ghostnet.layers.regnet import GGhostStage, RegNetBlock
from keras_ghostnet.layers.rep_ghost import RepGhostBottleneck, RepGhostModule
from keras_ghostnet.layers.reparameterized import RepConv2D

__all__ = [
    "BatchNormalization",
    "DFCAttention",
    "FeaturePyramid",
    "GGhostStage",
    "GhostBasicBlock",
    "GhostBottleneck",
    "GhostModule",
    "GroupedConv2D",
    "RegNetBlock",
    "RepConv2D",
    "RepGhostBottleneck",
    "RepGhostModule",
    "SqueezeExcite",
]
