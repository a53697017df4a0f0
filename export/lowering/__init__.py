"""Deployment graphs rewritten for the kernels of the processor that they will run on."""

from keras_ghostnet.export.lowering.targets import TARGETS, Lowering, find, host, lower

__all__ = ["TARGETS", "Lowering", "find", "host", "lower"]
