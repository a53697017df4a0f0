from . import benchmark, export, features, hub, layers, training, weights
from .cifar import GhostResNet56, GhostVGG16
from .conversion import convert_weights
from .counting import count_macs, count_parameters
from .export import predict
from .features import feature_pyramid
from .g_ghostnet import (
    GGhostRegNetX002,
    GGhostRegNetX004,
    GGhostRegNetX006,
    GGhostRegNetX008,
    GGhostRegNetX016,
    GGhostRegNetX032,
    GGhostRegNetX040,
    GGhostRegNetX064,
    GGhostRegNetX080,
    GGhostRegNetX120,
    GGhostRegNetX160,
    GGhostRegNetX320,
)
from .ghosting import ghost_costs, ghostify
from .ghostnet import GhostNet
from .ghostnetv2 import GhostNetV2
from .ghostnetv3 import GhostNetV3
from .layers.normalization import freeze_batch_norm
from .preprocessing import decode_predictions, preprocess_input
from .registry import create_model, list_models
from .repghostnet import RepGhostNet
from .segmentation import segmenter

__version__: str
__all__ = [
    "GGhostRegNetX002",
    "GGhostRegNetX004",
    "GGhostRegNetX006",
    "GGhostRegNetX008",
    "GGhostRegNetX016",
    "GGhostRegNetX032",
    "GGhostRegNetX040",
    "GGhostRegNetX064",
    "GGhostRegNetX080",
    "GGhostRegNetX120",
    "GGhostRegNetX160",
    "GGhostRegNetX320",
    "GhostNet",
    "GhostNetV2",
    "GhostNetV3",
    "GhostResNet56",
    "GhostVGG16",
    "RepGhostNet",
    "__version__",
    "benchmark",
    "convert_weights",
    "count_macs",
    "count_parameters",
    "create_model",
    "decode_predictions",
    "export",
    "feature_pyramid",
    "features",
    "freeze_batch_norm",
    "ghost_costs",
    "ghostify",
    "hub",
    "layers",
    "list_models",
    "predict",
    "preprocess_input",
    "segmenter",
    "training",
    "weights",
]
