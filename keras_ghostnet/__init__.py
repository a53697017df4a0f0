"""GhostNets on Keras 3: C-GhostNet for CPUs and ARM, G-GhostNet for GPUs.

Names are imported when they are first used; `__init__.pyi` lists them.
"""

import importlib

import lazy_loader

from keras_ghostnet import command
from keras_ghostnet.version import __version__

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
__all__ += ["__version__"]

if command.is_measuring():  # with the command's kernels, and nothing printed around the tables
    command.start_backend()
elif not command.is_running():  # which answers before Keras is imported
    # Registers the layers, so that `keras.models.load_model` knows them.
    importlib.import_module("keras_ghostnet.layers")
