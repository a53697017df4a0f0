"""The formats a model can be exported to: one row here and one module each.

A format's module has two functions: `export(model, path, dtype, calibration, **options)` writes
the artifact of a deployment model, `load(path, threads)` returns a runner that runs it in its own
runtime, and that has

    runner(images)         outputs `(n, classes)`, float32, of images `(n, height, width, 3)`
    runner.single(image)   a function without arguments that runs one image, to be timed
"""

import dataclasses
import importlib
import os
import pathlib

import keras
import numpy as np

from keras_ghostnet import extras, files, specs
from keras_ghostnet.export import contents
from keras_ghostnet.export.graph import deploy, for_tracing


@dataclasses.dataclass(frozen=True)
class Format:
    """One export format.

    Attributes:
        name: What users call it.
        suffix: What follows the model's name in the artifact's name.
        module: The module of `keras_ghostnet.export` that writes and runs it.
        dtype: Of the weights: `"float32"`, `"float16"` or `"int8"`.
        max_error: The largest difference to the Keras model's outputs that passes, in standard
            deviations of those outputs.
        max_typical_error: The same for the median over the images of an image's error.
        min_cosine: The least cosine between all outputs of both that passes.
        min_agreement: The fraction of all images for which both must choose the same class; a
            sample of them is judged as `keras_ghostnet.export.verification` says.
        extra: The extras of this package that install what it needs, with commas; the last one
            has the runtime.
        options: The names of what its `export` takes besides.
    """

    name: str
    suffix: str
    module: str
    dtype: str
    max_error: float
    max_typical_error: float
    min_cosine: float
    min_agreement: float
    extra: str
    options: tuple[str, ...] = ()

    @property
    def is_calibrated(self) -> bool:
        """Whether it takes the ranges of its activations from images."""
        return self.dtype == "int8" and "train_data" not in self.options

    @property
    def is_folder(self) -> bool:
        """Whether its artifacts are folders."""
        return pathlib.PurePath(self.suffix).suffix in contents.FOLDERS


_SERVING = ("labels", "top_k", "crop", "max_pixels", "input")
_FOLD = ("fold_preprocessing", "target", "input", "labels")
_LAYOUT = ("layout", "labels", "runtime")
_OPENVINO = ("labels", "input")

# What a sound export reaches on digits, GhostNet and G-GhostNet: float errors of 1e-6 to 1e-5 by
# rounding alone, 1e-2 with weights of 16 bits; in int8 typical errors of 0.03 and up to 0.097, and
# cosines of 0.9994 and from 0.995, but errors up to 3 on an image beyond the ranges. Wrong padding
# of the first convolution alone makes 0.10 and 0.989 of the former, 0.34 of the latter, of any
# other more. QAT does not only round.
# fmt: off
FORMATS = (
    #      name               suffix               module         dtype      error  typical cosine
    #                                                                        agreed, extra, options
    Format("saved_model",     "_saved_model",      "saved_model", "float32",  1e-3, 1e-4, 0.99999,
           0.999, "serving", _SERVING),
    Format("tflite_fp32",     "_fp32.tflite",      "tflite",      "float32",  1e-3, 1e-4, 0.99999,
           0.999, "tflite", _FOLD),
    Format("tflite_fp16",     "_fp16.tflite",      "tflite",      "float16",   0.1, 0.02,  0.9999,
           0.99, "tflite", _FOLD),
    Format("tflite_int8",     "_int8.tflite",      "tflite",      "int8",      5.0, 0.12,   0.992,
           0.97, "tflite", ("io", "keep_float", *_FOLD)),
    Format("tflite_int8_qat", "_int8_qat.tflite",  "tflite_qat",  "int8",      5.0, 0.15,    0.98,
           0.97, "quantize,tflite", ("io", "train_data", "trained", "console", "labels")),
    Format("onnx_fp32",       "_fp32.onnx",        "onnx",        "float32",  1e-3, 1e-4, 0.99999,
           0.999, "onnx", _LAYOUT),
    Format("onnx_fp16",       "_fp16.onnx",        "onnx",        "float16",   0.1, 0.02,  0.9999,
           0.99, "onnx", _LAYOUT),
    Format("onnx_int8",       "_int8.onnx",        "onnx",        "int8",      5.0, 0.12,   0.992,
           0.97, "onnx", ("keep_float", *_LAYOUT)),
    Format("openvino_fp32",   "_fp32.openvino",    "openvino",    "float32",  1e-3, 1e-4, 0.99999,
           0.999, "onnx,openvino", _OPENVINO),
    Format("openvino_int8",   "_int8.openvino",    "openvino",    "int8",      5.0, 0.12,   0.992,
           0.97, "onnx,openvino", ("classes", *_OPENVINO)),
    Format("ncnn_fp32",       "_fp32.ncnn",        "ncnn",        "float32",  1e-3, 1e-4, 0.99999,
           0.999, "onnx,ncnn"),
    Format("ncnn_fp16",       "_fp16.ncnn",        "ncnn",        "float16",   0.1, 0.02,  0.9999,
           0.99, "onnx,ncnn"),
    Format("mnn_fp32",        "_fp32.mnn",         "mnn",         "float32",  1e-3, 1e-4, 0.99999,
           0.999, "onnx,mnn"),
    Format("mnn_fp16",        "_fp16.mnn",         "mnn",         "float16",   0.1, 0.02,  0.9999,
           0.99, "onnx,mnn"),
    Format("web",             "_fp32.web",         "web",         "float32",  1e-3, 1e-4, 0.99999,
           0.999, "tflite", ("labels", "crop", "input", "target", "vendor")),
    Format("tensorrt",        "_fp16.engine",      "tensorrt",    "float16",   0.1, 0.02,  0.9999,
           0.99, "onnx,tensorrt"),
)
# fmt: on
# Of the artifacts but SavedModels: files, and folders of a name of their own.
SUFFIXES = {pathlib.PurePath(fmt.suffix).suffix for fmt in FORMATS} - {""}

# What the extras bring, as Python calls it.
PACKAGES = {
    "mnn": ("MNN",),
    "ncnn": ("ncnn", "pnnx"),
    "onnx": ("onnx", "onnxruntime", "tf2onnx"),
    "openvino": ("openvino", "nncf"),
    "quantize": ("tf_keras", "tensorflow_model_optimization"),
    "serving": ("tensorflow_serving",),
    "tensorrt": ("tensorrt", "cuda"),  # not an extra: the wheels fetch from elsewhere
    "tflite": ("ai_edge_litert",),
}
CONVERTERS = ("nncf", "pnnx", "tf2onnx")  # of them, what running an artifact takes not


def get_format(name: str) -> Format:
    """The format of a name.

    Raises:
        ValueError: If there is none; the message suggests the nearest.
    """
    known = {fmt.name: fmt for fmt in FORMATS}
    if name not in known:
        raise ValueError(f"There is no format {name!r}.{specs.suggest(name, known)}")
    return known[name]


def missing_packages(fmt: Format) -> list[str]:
    """The packages that a format needs and that are not installed, a list of their names."""
    return extras.missing(*_packages(fmt))


def _packages(fmt):
    return [name for extra in fmt.extra.split(",") for name in PACKAGES[extra]]


def is_artifact(path: pathlib.Path) -> bool:
    """Whether a path has an artifact's suffix, or is a SavedModel."""
    return path.suffix in SUFFIXES or (path / "saved_model.pb").is_file()


def require_runtime(fmt: Format) -> None:
    """Refuses a format that cannot be run here, whether or not it can be made.

    Raises:
        ImportError: If a package is missing; the message says how to install it.
    """
    if fmt.name == "tensorrt":  # which is no extra
        return require_packages(fmt)
    *_, extra = fmt.extra.split(",")  # the runtime's; in front of it what converts
    names = [name for name in PACKAGES[extra] if name not in CONVERTERS]
    return extras.require(*names, purpose=f"Running {fmt.name}", extra=extra)


def require_packages(fmt: Format) -> None:
    """Refuses a format that cannot be made here, before long work.

    Raises:
        ImportError: If a package is missing; the message says how to install it.
    """
    advice: str | None = None
    if fmt.name == "tensorrt":
        from keras_ghostnet.export.tensorrt.dependencies import INSTALL

        advice = INSTALL
    if fmt.module == "ncnn":
        from keras_ghostnet.export.ncnn.conversion import INSTALL

        advice = INSTALL
    extras.require(*_packages(fmt), purpose=fmt.name, extra=fmt.extra, advice=advice)


def export_model(
    model: keras.Model,
    fmt: Format,
    directory: str | os.PathLike[str],
    calibration: np.ndarray | None = None,
    **options,
) -> pathlib.Path:
    """Exports a model in its deployment form. The artifact appears whole or not at all.

    It is not verified: `keras_ghostnet.export.export` does that too.

    Args:
        model: A Keras model with one input of a fixed image size.
        fmt: A `Format`.
        directory: Where the artifact goes; its name is the model's with the format's suffix.
        calibration: Images `(n, height, width, 3)` as the model sees them in use, from the
            training data, a hundred or more; an int8 format takes its ranges from them.
        **options: Those of the format.

    Returns:
        The artifact's path.

    Raises:
        ImportError: If what the format needs is not installed.
        ValueError: If an int8 format gets no calibration images, the format has no such option,
            or the artifact is not what the format promises.
    """
    path = pathlib.Path(directory) / f"{model.name}{fmt.suffix}"
    with files.replacing(path) as partial:
        write(for_tracing(deploy(model)), fmt, partial, calibration, **options)
    return path


def write(deployed, fmt, path, calibration=None, **options):
    """Writes the artifact of a model that is deployed already.

    Args:
        deployed: As `keras_ghostnet.export.graph.for_tracing` returns it.
        fmt, calibration, **options: As `export_model`.
        path: The file or folder to create.

    Raises:
        ImportError: If what the format needs is not installed.
        ValueError: As `export_model`.
    """
    unknown = sorted(set(options) - set(fmt.options))
    if unknown:
        raise ValueError(
            f"{fmt.name} has no option {unknown[0]!r}. "
            f"It takes: {', '.join(fmt.options) or 'none'}."
        )
    if fmt.is_calibrated and (calibration is None or not len(calibration)):
        raise ValueError(
            f"{fmt.name} needs calibration images: some hundred from the training data, "
            "preprocessed as in training."
        )
    _module(fmt).export(deployed, path, fmt.dtype, calibration, **options)


def load(path, fmt, threads=1):
    """A runner for an artifact in the format's own runtime (see the top of this module).

    Args:
        path: The artifact.
        fmt: Its `Format`.
        threads: The number of threads of LiteRT. TensorFlow's are a setting of the process.

    Raises:
        ImportError: If the runtime is not installed.
    """
    return _module(fmt).load(path, threads)


def ran_in(path: pathlib.Path, fmt: Format) -> str:
    """What `load` runs a page in on this machine, to be said behind its images; else nothing."""
    return _module(fmt).ran_in(path) if fmt.module == "web" else ""


def _module(fmt):
    # Each format brings its own dependencies: only those of the one that is asked for load.
    return importlib.import_module(f"keras_ghostnet.export.{fmt.module}")
