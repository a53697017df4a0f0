"""TensorRT and CUDA for Python, or how to install them."""

import importlib

INSTALL = (
    "Install it on a machine with an NVIDIA GPU, for TensorRT 11 with: pip install tensorrt-cu13 "
    "cuda-python (NVIDIA's installation guide names the package index that it may need)"
)
OLDEST = 10


def import_tensorrt():
    """The `tensorrt` module.

    Raises:
        ImportError: If it is missing, or too old for strongly typed networks.
    """
    try:
        tensorrt = importlib.import_module("tensorrt")
    except ImportError as error:
        raise ImportError(f"Engines need TensorRT, which is missing. {INSTALL}") from error
    if int(tensorrt.__version__.split(".")[0]) < OLDEST:
        raise ImportError(
            f"Engines need TensorRT {OLDEST} or newer, in which precision comes from the network. "
            f"Found: {tensorrt.__version__}. {INSTALL}"
        )
    return tensorrt


def import_cuda():
    """The CUDA runtime of `cuda-python`.

    Raises:
        ImportError: If it is missing.
    """
    try:
        return importlib.import_module("cuda.bindings.runtime")
    except ImportError as error:
        raise ImportError(f"Engines run with cuda-python, which is missing. {INSTALL}") from error
