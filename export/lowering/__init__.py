"""Deployment graphs rewritten for the kernels of the processor that they will run on."""

from keras_ghostnet.export.lowering.lower import TARGETS, Lowering, find, lower

__all__ = ["TARGETS", "Lowering", "find", "lower"]
