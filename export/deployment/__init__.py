"""The deployment form of a model: stock Keras layers, and no more of them than it takes."""

from keras_ghostnet.export.deployment.deploy import STEPS, deploy
from keras_ghostnet.export.deployment.tracing import for_tracing

__all__ = ["STEPS", "deploy", "for_tracing"]
