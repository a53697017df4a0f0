"""TFLite: float32, half precision and full-integer int8, for phones and boards; runs in LiteRT."""

from keras_ghostnet.export.tflite.arithmetic import find_arithmetic
from keras_ghostnet.export.tflite.conversion import export
from keras_ghostnet.export.tflite.inspection import check, graph, operators
from keras_ghostnet.export.tflite.packaging import package
from keras_ghostnet.export.tflite.runtime import load

__all__ = ["check", "export", "find_arithmetic", "graph", "load", "operators", "package"]
