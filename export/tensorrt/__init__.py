"""TensorRT: engines for NVIDIA GPUs, built from ONNX files."""

from keras_ghostnet.export.tensorrt.build import build, export, trtexec_command
from keras_ghostnet.export.tensorrt.check import TensorRTError, check_for_tensorrt
from keras_ghostnet.export.tensorrt.runner import Runner, load

__all__ = [
    "Runner",
    "TensorRTError",
    "build",
    "check_for_tensorrt",
    "export",
    "load",
    "trtexec_command",
]
