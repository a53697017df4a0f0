"""Optional packages: whether they are installed, and how to install them."""

import importlib.util

# Which extra brings a module that is not installed with the package itself.
EXTRAS = {
    "MNN": "mnn",
    "PIL": "train",
    "ai_edge_litert": "tflite",
    "elftools": "arm",
    "fsspec": "stores",
    "gcsfs": "stores",
    "google_crc32c": "train",
    "huggingface_hub": "hub",
    "jinja2": "train",
    "matplotlib": "train",
    "ncnn": "ncnn",
    "nncf": "openvino",
    "onnx": "onnx",
    "onnxruntime": "onnx",
    "openvino": "openvino",
    "pyarrow": "stores",
    "s3fs": "stores",
    "scipy": "arm",
    "sklearn": "train",
    "tensorboard": "train",
    "tensorflow_model_optimization": "quantize",
    "tensorflow_serving": "serving",
    "tf2onnx": "onnx",
    "tf_keras": "quantize",
}


def missing(*modules: str) -> list[str]:
    """The top-level modules among `modules` that are not installed; nothing is imported."""
    return [name for name in modules if importlib.util.find_spec(name) is None]


def require(
    *modules: str, purpose: str, extra: str | None = None, advice: str | None = None
) -> None:
    """Tells before long work that packages are missing, and how to install them.

    Args:
        *modules: Top-level modules, as Python imports them.
        purpose: What needs them, the subject of the message in the singular: `"Training"`.
        extra: The package's extra that brings them, e.g. `"train"` or `"train,tflite"`.
        advice: How to install them, for packages that no extra brings.

    Raises:
        ImportError: If one of them is missing; all that are missing are named.
    """
    lacking = missing(*modules)
    if lacking:
        verb = "is" if len(lacking) == 1 else "are"
        advice = advice or f'Install with: pip install "keras_ghostnet[{extra}]"'
        raise ImportError(
            f"{purpose} needs {' and '.join(lacking)}, which {verb} not installed. {advice}"
        )


def explain(error: ModuleNotFoundError) -> str:
    """What to install for a module that an import did not find, in one line."""
    name = (error.name or "").partition(".")[0]
    if name in ("tensorflow", "flatbuffers"):  # which TensorFlow brings
        wanted = "tensorflow"
    elif name in EXTRAS:
        wanted = f'"keras_ghostnet[{EXTRAS[name]}]"'
    else:
        return str(error)
    return f"This needs {name}, which is not installed. Install with: pip install {wanted}"
