"""ONNX: float32, float16 and int8, for ONNX Runtime and TensorRT."""

from keras_ghostnet.export.onnx.exporter import export
from keras_ghostnet.export.onnx.runner import Runner, load

__all__ = ["Runner", "export", "load"]
