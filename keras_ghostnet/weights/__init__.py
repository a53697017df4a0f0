"""Weights: the registry of public checkpoints, and the way from any of their files to a model."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
