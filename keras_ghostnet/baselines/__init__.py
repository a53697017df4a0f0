"""The networks that GhostNets are measured against, with random weights."""

from keras_ghostnet.baselines.table import Row, find, rows

__all__ = ["Row", "find", "rows"]
