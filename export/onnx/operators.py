"""Operators of TensorFlow that tf2onnx does not know, as those of ONNX."""

import numpy as np


def _erfc(graph, node, name, args):
    """`erfc(x)`, of the exact GELU, as `1 - erf(x)`."""
    node.type = "Erf"
    graph.insert_new_node_on_output(
        "Sub", node.output[0], f"{name}/Sub", [_one(graph, name), node.output[0]]
    )


def _expm1(graph, node, name, args):
    """`expm1(x)`, of CELU, as `exp(x) - 1`."""
    node.type = "Exp"
    graph.insert_new_node_on_output(
        "Sub", node.output[0], f"{name}/Sub", [node.output[0], _one(graph, name)]
    )


def _leave(graph, node, name, args):
    """Leaves an operator that ONNX computes otherwise: the layer is then refused."""


def _one(graph, name):
    return graph.make_const(f"{name}/one", np.float32(1)).output[0]


# As tf2onnx takes them: by operator, a function and its arguments. The weights of ResizeBicubic are
# rounded to a table of 1,024 places, those of ONNX are not.
HANDLERS: dict[str, tuple] = {
    "Erfc": (_erfc, []),
    "Expm1": (_expm1, []),
    "ResizeBicubic": (_leave, []),
}
