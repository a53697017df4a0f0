"""Gives an ONNX network's nodes and tensors the names of the Keras layers they come from."""

from keras_ghostnet.export.graph.refusals import layer_of
from keras_ghostnet.export.onnx.graphs import nodes_in


def name_after_layers(graph, layers):
    """Renames nodes to `layer/Operator`, their tensors alike, weights to `layer/kernel`.

    tf2onnx calls them by TensorFlow's scopes (`model_1/layer_1/BiasAdd:0`), and some by a number.

    Args:
        graph: An `onnx.GraphProto`; inputs and outputs keep their names.
        layers: The names of the Keras layers.
    """
    constants = {tensor.name for tensor in graph.initializer}
    names = {tensor.name: tensor.name for tensor in (*graph.input, *graph.output)}
    names[""] = ""  # of inputs and outputs that are left out
    taken = set()
    for node in graph.node:
        weights = reversed([name for name in node.input if name in constants])
        found = (layer_of(scope, layers) for scope in (node.name, *weights))
        layer = next(filter(None, found), None)
        if layer is None:
            continue
        node.name = _unique(f"{layer}/{node.op_type}", taken)
        for number, name in enumerate(node.output):
            names.setdefault(name, f"{node.name}:{number}" if number else node.name)
        if node.op_type in ("Conv", "Gemm", "MatMul"):
            for name, role in zip(node.input[1:], ("kernel", "bias"), strict=False):
                if name in constants and name not in names:
                    names[name] = _unique(f"{layer}/{role}", taken)
    for node in nodes_in(graph):  # loops and branches read tensors of the graph around them
        node.input[:] = [names.get(name, name) for name in node.input]
    for node in graph.node:
        node.output[:] = [names.get(name, name) for name in node.output]
    for tensor in graph.initializer:
        tensor.name = names.get(tensor.name, tensor.name)
    del graph.value_info[:]


def _unique(name, taken):
    number = 1
    while (unique := name if number == 1 else f"{name}_{number}") in taken:
        number += 1
    taken.add(unique)
    return unique
