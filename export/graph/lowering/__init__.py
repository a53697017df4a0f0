"""Passes that lower deployment graphs to the kernels of the processor they will run on."""

from keras_ghostnet.export.graph.lowering.targets import (
    TARGETS,
    Lowering,
    for_runtime,
    get_lowering,
    host,
    lower,
)

__all__ = ["TARGETS", "Lowering", "for_runtime", "get_lowering", "host", "lower"]
