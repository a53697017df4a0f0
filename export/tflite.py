"""TFLite: float32 and full-integer int8, for phones and boards; runs in LiteRT."""

import collections
import pathlib

import numpy as np

from keras_ghostnet.quiet import quiet

INSTALL = 'Install it with: pip install "keras_ghostnet[tflite]"'


def export(model, path, dtype="float32", calibration=None):
    """Writes a `.tflite` file for one image at a time.

    Args:
        model: A Keras model with one input of a fixed image size.
        path: The file to create.
        dtype: `"float32"`, or `"int8"` for int8 weights, activations, inputs and outputs.
        calibration: Images `(n, height, width, 3)` for the ranges of the int8 activations.

    Raises:
        ValueError: If inputs or outputs are not `dtype`, or if an operator is not built in.
    """
    import tensorflow as tf

    with quiet():
        converter = tf.lite.TFLiteConverter.from_concrete_functions([_function(model)])
        if dtype == "int8":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.representative_dataset = lambda: (
                [np.asarray(image[None], "float32")] for image in calibration
            )
            # No float fallback: an operator without an int8 kernel is an error.
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
            converter.inference_input_type = tf.int8
            converter.inference_output_type = tf.int8
        content = converter.convert()
    _check(content, dtype)
    pathlib.Path(path).write_bytes(content)


def load(path, threads=1):
    """A runner for a `.tflite` file.

    Args:
        path: The file.
        threads: How many threads LiteRT uses.

    Raises:
        ImportError: If LiteRT is missing.
    """
    return Runner(path, threads)


def operators(content):
    """Counts a network's operators.

    Args:
        content: The bytes of a `.tflite` file.

    Returns:
        A `collections.Counter` of names such as `"CONV_2D"`; one that is not built in is
        `"CUSTOM"`.

    Raises:
        ImportError: If LiteRT is missing.
    """
    graph = _graph(content)
    return collections.Counter(
        graph.operator_names[graph.subgraph.Operators(i).OpcodeIndex()]
        for i in range(graph.subgraph.OperatorsLength())
    )


class Runner:
    """Runs a `.tflite` file in LiteRT, image by image."""

    def __init__(self, path, threads=1):
        try:
            from ai_edge_litert.interpreter import Interpreter
        except ImportError as error:
            raise ImportError(f"TFLite files run in LiteRT, which is missing. {INSTALL}") from error
        with quiet():
            self.interpreter = Interpreter(str(path), num_threads=threads)
            self.interpreter.allocate_tensors()
        (self.input,) = self.interpreter.get_input_details()
        (self.output,) = self.interpreter.get_output_details()

    def __call__(self, images):
        return np.concatenate([self._run(image) for image in images])

    def single(self, image):
        """A function without arguments that runs one image `(height, width, 3)`.

        It does not quantize the image: on a device, a camera's bytes are quantized already.
        """
        self._run(image)
        return self.interpreter.invoke

    def _run(self, image):
        self.interpreter.set_tensor(self.input["index"], self._quantize(image[None]))
        self.interpreter.invoke()
        return self._dequantize(self.interpreter.get_tensor(self.output["index"]))

    def _quantize(self, values):
        scale, zero_point = self.input["quantization"]
        if not scale:
            return values.astype(self.input["dtype"])
        limits = np.iinfo(self.input["dtype"])
        values = np.rint(values / scale) + zero_point
        return values.clip(limits.min, limits.max).astype(self.input["dtype"])

    def _dequantize(self, values):
        scale, zero_point = self.output["quantization"]
        if not scale:
            return values
        return ((values.astype("float32") - zero_point) * scale).astype("float32")


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
    function = tf.function(lambda images: model(images, training=False))
    return function.get_concrete_function(specification)


def _check(content, dtype):
    graph = _graph(content)
    for kind, indices in (
        ("input", graph.subgraph.InputsAsNumpy()),
        ("output", graph.subgraph.OutputsAsNumpy()),
    ):
        for index in indices:
            found = graph.type_names[graph.subgraph.Tensors(index).Type()].lower()
            if found != dtype:
                raise ValueError(f"The TFLite file's {kind} is {found}, expected {dtype}.")
    if "CUSTOM" in graph.operator_names.values():
        raise ValueError(
            "The TFLite file has operators that are not built in, which plain LiteRT cannot run. "
            f"Found: {', '.join(sorted(set(graph.operator_names.values())))}."
        )


Graph = collections.namedtuple("Graph", ["subgraph", "operator_names", "type_names"])


def _graph(content):
    """The first (only) subgraph of a file, names by operator code, names by tensor type."""
    try:
        from ai_edge_litert import schema_py_generated as schema
    except ImportError as error:
        raise ImportError(f"TFLite files are checked with LiteRT. {INSTALL}") from error
    model = schema.Model.GetRootAs(content)
    builtin = {code: name for name, code in vars(schema.BuiltinOperator).items()}
    codes = (model.OperatorCodes(i) for i in range(model.OperatorCodesLength()))
    return Graph(
        model.Subgraphs(0),
        # Old files hold the code in a byte of its own.
        {
            i: builtin[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())]
            for i, code in enumerate(codes)
        },
        {code: name for name, code in vars(schema.TensorType).items()},
    )
