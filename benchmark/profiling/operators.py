"""A network's operators as its `.tflite` file describes them."""

import dataclasses
import math

from keras_ghostnet.export.tflite import inspection

CONVOLUTIONS = ("CONV_2D", "DEPTHWISE_CONV_2D")


@dataclasses.dataclass(frozen=True)
class Operator:
    """An operator.

    Attributes:
        index: Its place in the file.
        name: Such as `"CONV_2D"`.
        layer: The name of its output tensor, as far as it names one layer.
        shape: Of its output.
        kernel: Height and width of a convolution's kernel; None of another.
        macs: Multiply-adds of an image; None where there are none.
    """

    index: int
    name: str
    layer: str
    shape: tuple
    kernel: tuple | None
    macs: int | None

    @property
    def type(self):
        """What it is summed up by: the name, with a convolution's kernel.

        Convolutions to a single pixel, as in squeeze-and-excite and in heads, stand apart: they
        read their weights for one product each.
        """
        if self.kernel is None:
            return self.name
        height, width = self.kernel
        pixel = ", 1 pixel" if self.shape[1:3] == (1, 1) else ""
        return f"{self.name} {height}x{width}{pixel}"


def read_operators(content):
    """The operators of a network, in the file's order.

    Args:
        content: The bytes of a `.tflite` file.

    Returns:
        A list of `Operator`.

    Raises:
        ImportError: If LiteRT is missing.
    """
    graph = inspection.graph(content)
    return [
        _operator(graph.subgraph, index, graph.operator_names)
        for index in range(graph.subgraph.OperatorsLength())
    ]


def _operator(subgraph, index, names):
    operator = subgraph.Operators(index)
    name = names[operator.OpcodeIndex()]
    output = subgraph.Tensors(operator.Outputs(0))
    shape = _shape(output)
    weights = None
    if name in (*CONVOLUTIONS, "FULLY_CONNECTED"):
        weights = _shape(subgraph.Tensors(operator.Inputs(1)))
    macs = None
    if name == "CONV_2D":  # (outputs, height, width, inputs of a group)
        macs = math.prod(shape) * math.prod(weights[1:])
    elif name == "DEPTHWISE_CONV_2D":  # (1, height, width, outputs)
        macs = math.prod(shape) * math.prod(weights[1:3])
    elif name == "FULLY_CONNECTED":  # (outputs, inputs)
        macs = math.prod(shape) * weights[1]
    kernel = weights[1:3] if name in CONVOLUTIONS else None
    return Operator(index, name, _layer(output.Name().decode()), shape, kernel, macs)


def _shape(tensor):
    return tuple(tensor.Shape(i) for i in range(tensor.ShapeLength()))


def _layer(name):
    """`net/conv/BiasAdd;net/conv/convolution` comes from the layer `conv`."""
    parts = name.split(";")[0].split("/")
    return parts[-2] if len(parts) > 1 else parts[0]
