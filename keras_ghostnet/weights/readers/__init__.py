"""Checkpoint files as `{name: array}`, whatever framework wrote them and without that framework."""

from keras_ghostnet.weights.readers.checkpoint import Checkpoint, CheckpointError
from keras_ghostnet.weights.readers.reading import read_checkpoint

__all__ = ["Checkpoint", "CheckpointError", "read_checkpoint"]
