"""What all ONNX networks go through: made plain, then checked."""

import pathlib
import tempfile

import numpy as np

from keras_ghostnet.export.graph.refusals import UnsupportedOperatorError
from keras_ghostnet.quiet import quiet

BATCH = "batch"


def tidy(network):
    """A network as tf2onnx writes it, with paddings, biases and reshapes folded away.

    Raises:
        UnsupportedOperatorError: If tf2onnx left operators of TensorFlow in it.
    """
    import onnx

    foreign = {node.name: node.op_type for node in nodes_in(network.graph)
               if not onnx.defs.has(node.op_type, node.domain)}  # fmt: skip
    if foreign:
        raise UnsupportedOperatorError(
            f"ONNX has no {', '.join(sorted(set(foreign.values())))}", foreign
        )
    network = _optimize(network)
    for tensor in (*network.graph.input, *network.graph.output):
        tensor.type.tensor_type.shape.dim[0].dim_param = BATCH
    _settle_reshapes(network.graph, shapes(network))
    remove_dead(network.graph)
    return network


def check(network):
    """The network with the shape of every tensor.

    Raises:
        onnx.checker.ValidationError: If it is not valid ONNX.
        onnx.shape_inference.InferenceError: If shapes or types contradict each other.
    """
    import onnx

    used = {node.domain for node in network.graph.node}
    imports = [opset for opset in network.opset_import if opset.domain in used]
    del network.opset_import[:]
    network.opset_import.extend(imports)
    del network.graph.value_info[:]
    network = onnx.shape_inference.infer_shapes(network, check_type=True, strict_mode=True)
    onnx.checker.check_model(network, full_check=True)
    return network


def shapes(network):
    """Shapes of all tensors by name: a tuple with `None` for what is open until run time."""
    import onnx

    graph = onnx.shape_inference.infer_shapes(network, data_prop=True).graph
    found = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    for tensor in (*graph.input, *graph.output, *graph.value_info):
        dims = tensor.type.tensor_type.shape.dim
        found[tensor.name] = tuple(
            dim.dim_value if dim.HasField("dim_value") else None for dim in dims
        )
    return found


def nodes_in(graph):
    """The nodes of a graph and of the loops and branches in it."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            for part in (*attribute.graphs, *([attribute.g] if attribute.HasField("g") else [])):
                yield from nodes_in(part)


def _rename_inputs(graph, old, new):
    """Makes every node that reads the tensor `old` read `new`."""
    for node in nodes_in(graph):
        node.input[:] = [new if name == old else name for name in node.input]


def remove_dead(graph):
    """Removes nodes and constants that nothing reads."""
    while True:
        used = {name for node in nodes_in(graph) for name in node.input}
        used.update(tensor.name for tensor in graph.output)
        dead = [node for node in graph.node if used.isdisjoint(node.output)]
        if not dead:
            break
        for node in dead:
            graph.node.remove(node)
    for tensor in [tensor for tensor in graph.initializer if tensor.name not in used]:
        graph.initializer.remove(tensor)


def _optimize(network):
    """ONNX Runtime's own optimizations, as far as the result is plain ONNX.

    It moves paddings into convolutions, makes one Gemm of MatMul and Add, and shares equal
    constants.
    """
    import onnx
    import onnxruntime

    with tempfile.TemporaryDirectory() as folder, quiet(unless=()):
        path = pathlib.Path(folder) / "network.onnx"
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.optimized_model_filepath = str(path)
        onnxruntime.InferenceSession(
            network.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        return onnx.load(path)


def _settle_reshapes(graph, shapes):
    """Removes reshapes into the same shape, and makes the shapes of the others constants.

    tf2onnx writes one wherever it transposes feature maps of one pixel, as in squeeze-and-excite.
    It computes the shape of others from maps, which int8 files would dequantize for that.
    """
    import onnx

    outputs = {tensor.name for tensor in graph.output}
    constants = {tensor.name for tensor in graph.initializer}
    for node in [node for node in graph.node if node.op_type == "Reshape"]:
        source, target = node.input[0], node.output[0]
        shape = shapes.get(target, ())
        same = shapes.get(source) == shape and shape.count(None) <= 1
        if same and target not in outputs:
            _rename_inputs(graph, target, source)
            graph.node.remove(node)
        elif node.input[1] not in constants and shape.count(None) == 1:
            values = np.array([-1 if size is None else size for size in shape], "int64")
            node.input[1] = f"{target}/shape"
            graph.initializer.append(onnx.numpy_helper.from_array(values, node.input[1]))
