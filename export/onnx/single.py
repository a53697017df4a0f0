"""An ONNX network for one image, as the converters of mobile runtimes take it best."""

import math

import numpy as np

from keras_ghostnet.export.onnx.graphs import remove_dead


def for_one_image(network):
    """Fixes the batch at 1, and writes what follows global pooling as Flatten and Gemm.

    tf2onnx writes Squeeze or Reshape, MatMul and Add there, of which converters make operators
    that cost time, or that other versions of their runtimes lack.

    Args:
        network: An `onnx.ModelProto` in float32, as `keras_ghostnet.export.onnx.conversion.convert`
            makes it.

    Returns:
        The network, changed.
    """
    import onnx

    for tensor in (*network.graph.input, *network.graph.output):
        tensor.type.tensor_type.shape.dim[0].dim_value = 1
    del network.graph.value_info[:]
    network = onnx.shape_inference.infer_shapes(network, strict_mode=True)
    graph, shapes = network.graph, {}
    for tensor in (*graph.input, *graph.output, *graph.value_info):
        shapes[tensor.name] = tuple(dim.dim_value for dim in tensor.type.tensor_type.shape.dim)
    for node in graph.node:
        before, after = (shapes.get(names[0], ()) for names in (node.input, node.output))
        if node.op_type in ("Reshape", "Squeeze") and len(before) == 4:
            if after == (1, math.prod(before)):
                _flatten(node)
        elif node.op_type == "MatMul" and len(before) == 2:
            _multiply(node, graph)
    remove_dead(graph)
    onnx.checker.check_model(network, full_check=True)
    return network


def _flatten(node):
    from onnx import helper

    node.op_type = "Flatten"
    del node.attribute[:], node.input[1:]
    node.attribute.append(helper.make_attribute("axis", 1))


def _multiply(node, graph):
    """Makes a Gemm, with filters first and a bias, of a product with constants."""
    from onnx import helper, numpy_helper

    for tensor in graph.initializer:
        if tensor.name == node.input[1]:
            kernel = numpy_helper.to_array(tensor).T
            break
    else:
        return
    node.op_type = "Gemm"
    for name, values in (("kernel_t", kernel), ("bias_0", np.zeros(len(kernel), kernel.dtype))):
        values = np.ascontiguousarray(values)
        graph.initializer.append(numpy_helper.from_array(values, f"{node.name}/{name}"))
    node.input[:] = [node.input[0], f"{node.name}/kernel_t", f"{node.name}/bias_0"]
    node.attribute.append(helper.make_attribute("transB", 1))
