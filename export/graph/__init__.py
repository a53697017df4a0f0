"""The deployment form of a model: stock Keras layers, and no more of them than it takes."""

from keras_ghostnet.export.graph.deploy import PASSES, deploy
from keras_ghostnet.export.graph.tracing import for_tracing

__all__ = ["PASSES", "deploy", "for_tracing"]
