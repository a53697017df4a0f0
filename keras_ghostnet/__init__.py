"""GhostNets on Keras 3: C-GhostNet for CPUs and ARM, G-GhostNet for GPUs."""

from keras_ghostnet.command import starting

with starting():
    from keras_ghostnet import layers, weights
    from keras_ghostnet.cifar import GhostResNet56, GhostVGG16
    from keras_ghostnet.conversion import convert_weights
    from keras_ghostnet.counting import count_macs, count_parameters
    from keras_ghostnet.g_ghostnet import (
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
    from keras_ghostnet.ghostnet import GhostNet
    from keras_ghostnet.preprocessing import decode_predictions, preprocess_input
    from keras_ghostnet.registry import create_model, list_models

from keras_ghostnet.version import __version__

__all__ = [
    "GhostNet",
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
    "GhostResNet56",
    "GhostVGG16",
    "convert_weights",
    "count_macs",
    "count_parameters",
    "create_model",
    "decode_predictions",
    "layers",
    "list_models",
    "preprocess_input",
    "weights",
    "__version__",
]
