"""From a deployment model to the folder of an IR file."""

import os
import pathlib
import tempfile

import numpy as np

from keras_ghostnet import extras
from keras_ghostnet.export import processes
from keras_ghostnet.export.graph.refusals import naming_layers
from keras_ghostnet.export.onnx.conversion import convert
from keras_ghostnet.export.openvino.information import information
from keras_ghostnet.model_input import NORMALIZED
from keras_ghostnet.training.heads import is_of_pixels

DTYPES = ("float32", "int8")
PACKAGES = ("onnx", "onnxruntime", "tf2onnx", "openvino", "nncf")


def export(
    model,
    path,
    dtype="float32",
    calibration=None,
    labels=None,
    input=NORMALIZED,
    classes=None,
):
    """Writes an IR file, `model.xml` and `model.bin` in a folder.

    It takes one image at a time, which is faster than a batch size that is open; for others, call
    `openvino.set_batch(model, n)` in front of `compile_model`. Its input is called `images`, NHWC,
    its output `outputs`, both float32. OpenVINO reads the ONNX file of the same graph, and NNCF
    quantizes it: symmetric, kernels with one scale per output channel, biases corrected.

    Args:
        model: A Keras model in its deployment form, `for_tracing(deploy(model))`, with one input
            of a fixed image size.
        path: The folder to create.
        dtype: `"float32"` or `"int8"`.
        calibration: Images `(n, height, width, 3)` as the model sees them in use, for the ranges
            of int8.
        labels: The classes' names, which the file then carries for Model API. None leaves them out.
        input: What the model takes, of `keras_ghostnet.model_input.INPUTS`: the normalization that
            the file tells Model API of.
        classes: The true classes' indices of the calibration images `(n,)`. If given, layers whose
            rounding costs accuracy on these images stay in float: `quantize_with_accuracy_control`
            of NNCF, which allows a loss of one image in a hundred. Not for a single output, nor for
            a classifier of pixels.

    Raises:
        ImportError: If tf2onnx, onnx, ONNX Runtime, OpenVINO or NNCF is missing.
        ValueError: If an argument does not fit, weights are not finite, or OpenVINO lacks an
            operator; the message names the layer.
    """
    if dtype not in DTYPES:
        raise ValueError(f"dtype must be one of {', '.join(DTYPES)}. Received: {dtype!r}.")
    extras.require(*PACKAGES, purpose="OpenVINO export", extra="onnx,openvino")
    with tempfile.TemporaryDirectory() as folder:
        source = pathlib.Path(folder) / "network.onnx"
        source.write_bytes(convert(model, "NHWC").SerializeToString())
        of_pixels = is_of_pixels(model)
        if model.output_shape[-1] == 1 or of_pixels:  # a single output is never the highest
            classes = None
        arrays = {"images": calibration, "classes": classes} if dtype == "int8" else {}
        for name, values in arrays.items():
            if values is not None:
                np.save(source.with_name(f"{name}.npy"), values)
        call = processes.python(
            "keras_ghostnet.export.openvino.writing:write",
            source=str(source),
            path=os.path.abspath(path),
            dtype=dtype,
            information=information(labels, input, of_pixels),
        )
        with naming_layers(model, f"OpenVINO ({dtype})"):
            processes.convert(call, "OpenVINO" if dtype == "float32" else "NNCF")
