"""Manifests and scripts with which existing engines start and restart a training run."""

from keras_ghostnet.training.launch.rendering import ENGINES, render

__all__ = ["ENGINES", "render"]
