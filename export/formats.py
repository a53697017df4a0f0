"""The formats a model can be exported to: one row here and one module each.

A format's module has two functions: `export(model, path, dtype, calibration)` writes the
artifact, `load(path, threads)` returns a runner that runs it in its own runtime, and that has

    runner(images)         outputs `(n, classes)`, float32, of images `(n, height, width, 3)`
    runner.single(image)   a function without arguments that runs one image, to be timed
"""

import dataclasses
import importlib
import pathlib

from keras_ghostnet import files


@dataclasses.dataclass(frozen=True)
class Format:
    """One export format.

    Attributes:
        name: What users call it.
        suffix: What follows the model's name in the artifact's name.
        module: The module of `keras_ghostnet.export` that writes and runs it.
        dtype: Of weights, inputs and outputs: `"float32"` or `"int8"`.
        max_error: The largest difference to the Keras model's outputs that passes, in standard
            deviations of those outputs.
        min_cosine: The least cosine between all outputs of both that passes.
        min_agreement: The least part of the images for which both must choose the same class.
    """

    name: str
    suffix: str
    module: str
    dtype: str
    max_error: float
    min_cosine: float
    min_agreement: float


# What a sound export reaches on digits: float error 1e-6 to 1e-5, by rounding alone; int8 error
# about 0.4 and cosine 0.9995. One row of wrong padding makes 1.3 and 0.991 of it.
# fmt: off
FORMATS = (
    #      name              suffix             module         dtype      error   cosine   agreement
    Format("saved_model",    "_saved_model",    "saved_model", "float32",  1e-3, 0.99999, 0.999),
    Format("tflite_float32", "_float32.tflite", "tflite",      "float32",  1e-3, 0.99999, 0.999),
    Format("tflite_int8",    "_int8.tflite",    "tflite",      "int8",      1.0,   0.995,  0.97),
)
# fmt: on


def find(name):
    """The format of a name.

    Raises:
        ValueError: If there is none.
    """
    for fmt in FORMATS:
        if fmt.name == name:
            return fmt
    names = ", ".join(fmt.name for fmt in FORMATS)
    raise ValueError(f"There is no format {name!r}. Choose one of: {names}.")


def export_model(model, fmt, directory, calibration=None):
    """Exports a model. The artifact appears whole or not at all.

    Args:
        model: A Keras model with one input of a fixed image size.
        fmt: A `Format`.
        directory: Where the artifact goes; its name is the model's with the format's suffix.
        calibration: Images `(n, height, width, 3)` as the model sees them in use, from the
            training data, a hundred or more; an int8 format takes its ranges from them.

    Returns:
        The artifact's path.

    Raises:
        ValueError: If an int8 format gets no calibration images, or the artifact is not what
            the format promises.
    """
    if fmt.dtype == "int8" and (calibration is None or not len(calibration)):
        raise ValueError(
            f"{fmt.name} needs calibration images: some hundred from the training data, "
            "preprocessed as in training."
        )
    path = pathlib.Path(directory) / f"{model.name}{fmt.suffix}"
    with files.replacing(path) as partial:
        _module(fmt).export(model, partial, fmt.dtype, calibration)
    return path


def load(path, fmt, threads=1):
    """A runner for an artifact in the format's own runtime (see the top of this module).

    Args:
        path: The artifact.
        fmt: Its `Format`.
        threads: How many threads LiteRT uses. TensorFlow's are a setting of the process.

    Raises:
        ImportError: If the runtime is not installed.
    """
    return _module(fmt).load(path, threads)


def _module(fmt):
    # Each format brings its own dependencies: only those of the one that is asked for load.
    return importlib.import_module(f"keras_ghostnet.export.{fmt.module}")
