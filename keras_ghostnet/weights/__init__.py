"""Weights: the registry of public checkpoints, and the way from any of their files to a model."""

from keras_ghostnet.weights.registry import REGISTRY, Transform, WeightsEntry
from keras_ghostnet.weights.source import Source, read
from keras_ghostnet.weights.transfer import assign, check

__all__ = ["REGISTRY", "Source", "Transform", "WeightsEntry", "assign", "check", "read"]
