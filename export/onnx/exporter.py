"""From a Keras model to an ONNX file."""

import pathlib

from keras_ghostnet.export.onnx.dependencies import require
from keras_ghostnet.version import __version__

DTYPES = ("float32", "float16", "int8")
LAYOUTS = ("NHWC", "NCHW")


def export(
    model,
    path,
    dtype="float32",
    calibration=None,
    layout="NHWC",
    float16_inputs=False,
    metadata=None,
):
    """Writes an `.onnx` file with input `images` and output `outputs`, for any batch size.

    The file holds the model's deployment form, with nothing but operators of ONNX itself.

    Args:
        model: A Keras model with one input of a fixed image size, of this package or of stock
            layers.
        path: The file to create.
        dtype: `"float32"`; `"float16"` for weights and computation in half precision; or
            `"int8"`, quantized in the way of TensorRT: every convolution and dense layer reads
            int8, what is in between computes in float32.
        calibration: Images `(n, height, width, 3)` as the model sees them in use, whatever the
            layout. Needed for the ranges of int8; for float16, if given, every tensor's values
            are checked against what half precision holds.
        layout: Of the images the file expects, `"NHWC"` (one Transpose at the start) or
            `"NCHW"` (none).
        float16_inputs: Whether inputs and outputs of a float16 file are float16 too.
        metadata: Strings by name that the file carries along, such as `labels` or
            `preprocessing`.

    Raises:
        ImportError: If tf2onnx, onnx or ONNX Runtime is missing.
        ValueError: If an argument does not fit; if weights are not finite, or weights or
            activations are too large for float16; the message names the tensor.
    """
    _check_arguments(dtype, calibration, layout, float16_inputs)
    require("tf2onnx", "onnx", "onnxruntime")
    import onnx

    from keras_ghostnet.export.onnx import convert, graphs, half, quantize

    network = convert.convert(model, layout)
    if dtype == "float16":
        network = half.to_float16(network, calibration, float16_inputs)
    elif dtype == "int8":
        network = quantize.to_int8(network, calibration)
    network = graphs.check(network)
    network.producer_name, network.producer_version = "keras_ghostnet", __version__
    onnx.helper.set_model_props(network, {"dtype": dtype, "layout": layout, **(metadata or {})})
    pathlib.Path(path).write_bytes(network.SerializeToString())


def _check_arguments(dtype, calibration, layout, float16_inputs):
    for name, value, choices in (("dtype", dtype, DTYPES), ("layout", layout, LAYOUTS)):
        if value not in choices:
            raise ValueError(f"{name} must be one of {', '.join(choices)}. Received: {value!r}.")
    if float16_inputs and dtype != "float16":
        raise ValueError(f"Only float16 files can have float16 inputs. Received: dtype {dtype!r}.")
    if dtype == "int8" and (calibration is None or not len(calibration)):
        raise ValueError(
            "int8 needs calibration images: some hundred from the training data, preprocessed "
            "as in training."
        )
