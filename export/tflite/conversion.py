"""From a Keras model to a `.tflite` file."""

import functools
import pathlib
import re

import numpy as np

from keras_ghostnet.export import preprocessing
from keras_ghostnet.export.graph import lowering
from keras_ghostnet.export.graph.kept import lowered_names, require_layers
from keras_ghostnet.export.graph.refusals import UnsupportedOperatorError, naming_layers
from keras_ghostnet.export.half import require_half_range
from keras_ghostnet.export.tflite import (
    crashes,
    inspection,
    packaging,
    pixels,
    runtime,
    selective,
    tuning,
)
from keras_ghostnet.export.tflite.concatenation import narrow_concatenations
from keras_ghostnet.export.tflite.upsampling import concatenate_repeats
from keras_ghostnet.model_input import NORMALIZED, PIXELS
from keras_ghostnet.preprocessing import to_pixels
from keras_ghostnet.quiet import quiet
from keras_ghostnet.training.heads import outputs_are

IO = ("int8", "uint8")
TARGET = "arm"
FEW = 8  # images
LOOPS = ("If", "StatelessIf", "StatelessWhile", "While")


def export(
    model,
    path,
    dtype="float32",
    calibration=None,
    *,
    io=None,
    fold_preprocessing=False,
    input=NORMALIZED,
    one_partition=True,
    target=TARGET,
    labels=None,
    keep_float=(),
):
    """Writes a `.tflite` file for one image at a time.

    Args:
        model: A Keras model with one input of a fixed image size.
        path: The file to create.
        dtype: `"float32"`; `"float16"` for weights of half the size, and computation in half
            precision where the processor can, which the file declares, elsewhere in float32; or
            `"int8"` for weights, activations, inputs and outputs of 8 bits, a scale for every
            output channel of a kernel.
        calibration: Images `(n, height, width, 3)`, as the model takes them, for the ranges of
            the int8 activations; for float16, if given, every value is checked against what half
            precision holds.
        io: Type of an int8 file's input and output: `"int8"` or `"uint8"`; None takes `"int8"`,
            or `"uint8"` with `fold_preprocessing`.
        fold_preprocessing: Whether the file takes raw RGB pixels, uint8 `(1, height, width, 3)`
            in [0, 255], and normalizes them itself.
        input: What the model takes, of `keras_ghostnet.model_input.INPUTS`.
        one_partition: Whether a network that XNNPACK does not run as a whole is refused. Models
            in their deployment form pass; others need not, and can be measured nevertheless.
        target: As `keras_ghostnet.export.graph.lowering.get_lowering`, or `"measured"`.
        labels: The classes' names, which the file then holds as TFLite metadata beside what its
            images and outputs are: MediaPipe Tasks and ML Kit need it. None leaves it out.
        keep_float: Names of layers that stay in float in an int8 file with int8 input and output.

    Raises:
        ImportError: If LiteRT is missing.
        ValueError: If an option does not fit, or the file is not what was promised: types of
            inputs and outputs, built-in operators, one partition for XNNPACK; if weights or
            activations are too large for float16; the message names the layer.
    """
    integer = integer_type(io, fold_preprocessing)
    if keep_float:
        require_keepable(integer)
        require_layers(model, keep_float)
    deployed = model
    if target == tuning.MEASURED:
        target = tuning.tune(model, dtype, functools.partial(_write_few, dtype, calibration))
    model = _for_delegates(lowering.lower(model, target, dtype))
    if fold_preprocessing and input == NORMALIZED:
        model = preprocessing.fold(model)
        calibration = None if calibration is None else to_pixels(calibration)
    if calibration is not None and (fold_preprocessing or input == PIXELS):
        calibration = _full_range(calibration)
    if dtype == "float16":
        require_half_range(model, calibration)
    kept = lowered_names(deployed, model, keep_float)
    content = _convert(model, dtype, calibration, integer, kept)
    if fold_preprocessing and dtype != "int8":
        content = pixels.take_pixels(content)
    outputs = integer if dtype == "int8" else "float32"
    inputs = "uint8" if fold_preprocessing else outputs
    with naming_layers(model, "TFLite"):
        inspection.check(content, inputs, outputs)
    content = packaging.package(
        content,
        labels,
        half=dtype == "float16",
        name=model.name,
        folded=fold_preprocessing or input == PIXELS,
        outputs_are=outputs_are(model),
    )
    path = pathlib.Path(path)
    path.write_bytes(content)
    with naming_layers(model, "TFLite"):
        crashes.require_none(path)
        if one_partition:
            runtime.check_partition(path)
    if fold_preprocessing:
        runtime.check_pixels(path)


def integer_type(io, fold_preprocessing):
    """The type of an int8 file's input and output.

    Args:
        io, fold_preprocessing: As `export`.

    Raises:
        ValueError: If `io` is none of `IO`, or int8 where pixels are taken, which are uint8.
    """
    if io not in (None, *IO):
        raise ValueError(f"`io` must be one of {IO}. Received: io={io!r}.")
    if fold_preprocessing and io == "int8":
        raise ValueError(
            "A file that takes pixels (fold_preprocessing) has uint8 input and output. Received: "
            'io="int8". Leave one of the two out.'
        )
    return io or ("uint8" if fold_preprocessing else "int8")


def _write_few(dtype, calibration, model, path):
    """A file to be timed: on ranges, nothing depends."""
    images = None if calibration is None else calibration[:FEW]
    content = _convert(_for_delegates(model), dtype, images, "int8")
    pathlib.Path(path).write_bytes(packaging.package(content, half=dtype == "float16"))


def _for_delegates(model):
    """The model of operators that XNNPACK takes."""
    return narrow_concatenations(concatenate_repeats(model))


def require_keepable(integer):
    """Refuses layers in float where input and output are uint8.

    Args:
        integer: What `integer_type` returned.

    Raises:
        ValueError: If it is uint8.
    """
    if integer != "int8":
        raise ValueError(
            "TFLite's converter keeps layers in float (keep_float) where input and output are int8 "
            "alone. Leave out --io uint8 and --fold-preprocessing, or keep_float."
        )


def _convert(model, dtype, calibration, integer, kept=()):
    import tensorflow as tf

    with naming_layers(model, "TFLite"), quiet(unless=()):
        function = _function(model)
        loops = [node.name for node in function.graph.get_operations() if node.type in LOOPS]
        if loops:  # at which the converter may crash
            raise UnsupportedOperatorError("no delegate of TFLite runs loops or branches", loops)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function])
    if dtype != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if dtype == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if dtype == "int8":
        converter.representative_dataset = lambda: (
            [np.asarray(image[None], "float32")] for image in calibration
        )
        # No float fallback: an operator without an int8 kernel is an error.
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = tf.dtypes.as_dtype(integer)
        converter.inference_output_type = tf.dtypes.as_dtype(integer)
    if kept:
        converter.target_spec.supported_ops += [tf.lite.OpsSet.TFLITE_BUILTINS]
    with naming_layers(model, "TFLite"), quiet(unless=()):
        try:
            return selective.quantize(converter, model, kept) if kept else converter.convert()
        except Exception as error:  # it names the kinds of operators alone
            kinds = set(re.findall(r"\btf\.(\w+)", str(error))) - {"Placeholder"}
            found = {
                node.name: node.type
                for node in function.graph.get_operations()
                if node.type in kinds
            }
            if not found:
                raise
            reason = f"TFLite has no {', '.join(sorted(set(found.values())))}"
            raise UnsupportedOperatorError(reason, found) from error


def _function(model):
    """The model as a concrete function of one image.

    With a batch size that is open until run time the converter would compute shapes at run
    time (SHAPE, STRIDED_SLICE, PACK), at which LiteRT's delegates break the network up. The
    converter is given no trackable object on purpose: it then freezes the variables, whereas
    by way of a SavedModel it leaves Keras' variables out of the file.
    """
    import tensorflow as tf

    shape = model.input_shape[1:]
    if None in shape:
        raise ValueError(
            f"TFLite needs a fixed image size. Received a model with the input shape {shape}: "
            "build it with `input_shape=(height, width, 3)`."
        )
    specification = tf.TensorSpec((1, *shape), "float32", name="images")
    function = tf.function(lambda images: model(images, training=False), autograph=False)
    return function.get_concrete_function(specification)


def _full_range(calibration):
    """Images of pixels, of which one is black and one white: a step is then one gray level."""
    result = np.array(calibration, "float32")
    result[0, 0, 0], result[0, -1, -1] = 0, 255
    return result
