"""ONNX: float32, float16 and int8, for ONNX Runtime and TensorRT."""

from keras_ghostnet.export.onnx.conversion import export
from keras_ghostnet.export.onnx.runtime import load

__all__ = ["export", "load"]
