"""What the layers of an int8 artifact output, in the artifact's own runtime.

It is imported without Keras, in a process of its own (`keras_ghostnet.export.sandbox`).
"""

import numpy as np

from keras_ghostnet.export.device import run

CONVERSIONS = ("QuantizeLinear", "DequantizeLinear")


class TFLiteLayers:
    """A runner whose outputs are those of all operators, one after the other, dequantized.

    LiteRT's own kernels run them: XNNPACK keeps no values in between.

    Args:
        path: A `.tflite` file.

    Attributes:
        layers: For every tensor its name and shape `(..., channels)`, as JSON can hold them.
    """

    def __init__(self, path):
        from ai_edge_litert.interpreter import Interpreter, OpResolverType

        self._model = run.Model(path)  # which checks it
        self._interpreter = Interpreter(
            str(path),
            experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
            experimental_preserve_all_tensors=True,
        )
        self._interpreter.allocate_tensors()
        details = {detail["index"]: detail for detail in self._interpreter.get_tensor_details()}
        operators = self._interpreter._get_ops_details()  # there is no public way
        self._details = [details[int(index)] for op in operators for index in op["outputs"]]
        self.layers = [(each["name"], each["shape"].tolist()) for each in self._details]

    def __call__(self, images):
        """Outputs `(n, values)`, float32, of images `(n, height, width, 3)`."""
        return np.stack([self._run(image) for image in images])

    def _run(self, image):
        self._interpreter.set_tensor(self._model.input["index"], self._model._quantize(image[None]))
        self._interpreter.invoke()
        return np.concatenate([self._values(detail).ravel() for detail in self._details])

    def _values(self, detail):
        values = self._interpreter.get_tensor(detail["index"]).astype("float32")
        scale, zero_point = detail["quantization"]
        return (values - zero_point) * np.float32(scale) if scale else values


class ONNXLayers:
    """The same of an `.onnx` file: the outputs of its nodes, as those that read int8 see them."""

    def __init__(self, path):
        import onnx

        from keras_ghostnet.export.onnx.runtime import Session, layout_of

        network = onnx.load(str(path), load_external_data=False)
        network = onnx.shape_inference.infer_shapes(network)
        known = {value.name: value for value in (*network.graph.value_info, *network.graph.output)}
        read = _dequantized(network.graph.node)
        values = {
            name: known[read.get(name, name)]
            for node in network.graph.node
            if node.op_type not in CONVERSIONS
            for name in node.output
            if known[name].type.tensor_type.elem_type == onnx.TensorProto.FLOAT
        }
        (images,) = network.graph.input
        last = {images.name} if layout_of(_axes(images)) == "NHWC" else set()
        for node in network.graph.node:  # as maps are until they are transposed or convolved
            if node.op_type not in ("Transpose", "Conv") and last.intersection(node.input):
                last.update(node.output)
        del network.graph.output[:]
        network.graph.output.extend(values.values())
        self._session = Session(network.SerializeToString())
        self._first = [len(_axes(x)) == 4 and x.name not in last for x in values.values()]
        self.layers = [
            (name, [axes[0], *axes[2:], axes[1]] if is_first else axes)
            for name, axes, is_first in zip(
                values, map(_axes, values.values()), self._first, strict=True
            )
        ]

    def __call__(self, images):
        """As `TFLiteLayers`."""
        found = zip(self._session.run(images).values(), self._first, strict=True)
        found = [np.moveaxis(x, 1, -1) if is_first else x for x, is_first in found]
        return np.concatenate([x.reshape(len(images), -1) for x in found], axis=1)


def _dequantized(nodes):
    """The names of tensors after a conversion to int8 and back, by those before.

    A ReLU may be nothing but the former: without negative integers, no negative number is left.
    """
    sources = {node.output[0]: node.input[0] for node in nodes if node.op_type == CONVERSIONS[0]}
    return {
        sources[node.input[0]]: node.output[0]
        for node in nodes
        if node.op_type == CONVERSIONS[1] and node.input[0] in sources
    }


def _axes(value):
    return [axis.dim_value or None for axis in value.type.tensor_type.shape.dim]
