"""From a deployment model to an ONNX file."""

import json
import pathlib

import numpy as np

from keras_ghostnet import extras
from keras_ghostnet.export.contents import ONNX_LABELS, ONNX_RUNTIME
from keras_ghostnet.export.graph.kept import lowered_names, require_layers
from keras_ghostnet.export.graph.lowering.targets import for_runtime, lower
from keras_ghostnet.export.graph.refusals import naming_layers
from keras_ghostnet.export.half import require_half_range
from keras_ghostnet.quiet import quiet
from keras_ghostnet.version import __version__

DTYPES = ("float32", "float16", "int8")
LAYOUTS = ("NHWC", "NCHW")
RUNTIMES = ("onnxruntime", "tensorrt")
# Read by TensorRT since 8.5 (so by Jetsons that stay there), which stops at 17. Int8 with a
# scale per channel needs 13.
OPSET = 17
INPUT, OUTPUT = "images", "outputs"  # as in the served model's signatures


def export(
    model,
    path,
    dtype="float32",
    calibration=None,
    layout="NHWC",
    float16_inputs=False,
    labels=None,
    metadata=None,
    runtime="onnxruntime",
    keep_float=(),
):
    """Writes an `.onnx` file with input `images` and output `outputs`, for any batch size.

    It holds nothing but operators of ONNX itself, and runs in any runtime of ONNX, whatever
    `runtime` says.

    Args:
        model: A Keras model in its deployment form, `for_tracing(deploy(model))`, with one input
            of a fixed image size.
        path: The file to create.
        dtype: `"float32"`; `"float16"` for weights and computation in half precision; or
            `"int8"`, quantized as `runtime` wants it.
        calibration: Images `(n, height, width, 3)` as the model sees them in use, whatever the
            layout. Needed for the ranges of int8; for float16, if given, every tensor's values
            are checked against what half precision holds.
        layout: Of the images the file expects, `"NHWC"` (one Transpose at the start, or for
            ONNX Runtime a Reshape: `wide_rows`) or `"NCHW"` (none).
        float16_inputs: Whether inputs and outputs of a float16 file are float16 too.
        labels: The classes' names, which the file then carries as `labels`, a JSON list. None
            leaves it out.
        metadata: Strings by name that the file carries along, such as `preprocessing`.
        runtime: What the file is to be fast in. `"onnxruntime"`, on CPUs: float32 and int8 are
            lowered for its kernels (`keras_ghostnet.export.graph.lowering`), and in int8
            tensors are unsigned integers of 8 bits, but in the first layers, where that takes
            longer than float (`float_start`). `"tensorrt"`: the graph as it is, and in int8
            every convolution and dense layer reads signed integers, what is in between computes
            in float32.
        keep_float: Names of layers that stay in float in an int8 file.

    Raises:
        ImportError: If tf2onnx, onnx or ONNX Runtime is missing.
        ValueError: If an argument does not fit; if weights are not finite, or weights or
            activations are too large for float16; the message names the tensor.
    """
    _check_arguments(dtype, calibration, layout, float16_inputs, runtime)
    extras.require("tf2onnx", "onnx", "onnxruntime", purpose="ONNX export", extra="onnx")
    import onnx

    from keras_ghostnet.export.onnx import graphs, half, quantize, wide_rows

    require_layers(model, keep_float)
    deployed = model
    model = lower(model, for_runtime(runtime, dtype))
    kept = lowered_names(deployed, model, keep_float)
    if dtype == "float16":  # whose converter would clip what is too large
        require_half_range(model, calibration, sums=True)
    network = convert(model, layout)
    if dtype == "float16":
        network = half.to_float16(network, float16_inputs)
    elif runtime == "onnxruntime":
        network = wide_rows.read_wide_rows(network)
    with naming_layers(model, f"ONNX ({dtype})"):
        if dtype == "int8":
            network = quantize.to_int8(network, calibration, runtime, kept)
        network = graphs.check(network)
    network.producer_name, network.producer_version = "keras_ghostnet", __version__
    carried = {} if labels is None else {ONNX_LABELS: json.dumps(list(labels))}
    carried = {
        "dtype": dtype,
        "layout": layout,
        ONNX_RUNTIME: runtime,
        **carried,
        **(metadata or {}),
    }
    onnx.helper.set_model_props(network, carried)
    pathlib.Path(path).write_bytes(network.SerializeToString())


def _check_arguments(dtype, calibration, layout, float16_inputs, runtime):
    for name, value, choices in (
        ("dtype", dtype, DTYPES),
        ("layout", layout, LAYOUTS),
        ("runtime", runtime, RUNTIMES),
    ):
        if value not in choices:
            raise ValueError(f"{name} must be one of {', '.join(choices)}. Received: {value!r}.")
    if float16_inputs and dtype != "float16":
        raise ValueError(f"Only float16 files can have float16 inputs. Received: dtype {dtype!r}.")
    if dtype == "int8" and (calibration is None or not len(calibration)):
        raise ValueError(
            "int8 needs calibration images: some hundred from the training data, preprocessed "
            "as in training."
        )


def convert(model, layout):
    """A deployment model as ONNX in float32.

    Args:
        model: As `export` takes it.
        layout: Of the network's input, `"NHWC"` or `"NCHW"`.

    Returns:
        An `onnx.ModelProto` in float32.

    Raises:
        ValueError: If the image size is open, a weight is not finite, or a layer has no form in
            ONNX.
    """
    import tensorflow as tf
    import tf2onnx

    from keras_ghostnet.export.onnx import graphs
    from keras_ghostnet.export.onnx.names import name_after_layers
    from keras_ghostnet.export.onnx.operators import HANDLERS

    shape = model.input_shape[1:]
    if None in shape:
        raise ValueError(
            f"ONNX files are for a fixed image size. Received a model with the input shape "
            f"{shape}: build it with `input_shape=(height, width, 3)`."
        )
    for weight in model.weights:
        if not np.isfinite(weight.numpy()).all():
            raise ValueError(f"The weight {weight.path} is not finite: the model is broken.")
    signature = [tf.TensorSpec((None, *shape), "float32", name=INPUT)]
    function = tf.function(
        lambda images: {OUTPUT: model(images, training=False)}, signature, autograph=False
    )
    with naming_layers(model, "ONNX"), quiet(unless=()):
        converted, _ = tf2onnx.convert.from_function(
            function,
            signature,
            opset=OPSET,
            inputs_as_nchw=[INPUT] if layout == "NCHW" else None,
            custom_op_handlers=dict(HANDLERS),  # tf2onnx adds to it
        )
        converted = graphs.tidy(converted)
    name_after_layers(converted.graph, {layer.name for layer in model.layers})
    return converted
