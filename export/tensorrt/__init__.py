"""TensorRT: engines for NVIDIA GPUs, built from ONNX files."""

from keras_ghostnet.export.tensorrt.build import build, export, trtexec_command
from keras_ghostnet.export.tensorrt.inspection import TensorRTError, check_for_tensorrt
from keras_ghostnet.export.tensorrt.runtime import load

__all__ = [
    "TensorRTError",
    "build",
    "check_for_tensorrt",
    "export",
    "load",
    "trtexec_command",
]
