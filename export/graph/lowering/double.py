"""Ghost modules without concatenation, by doubling the convolution."""

import numpy as np

from keras_ghostnet.export.graph.lowering.activations import activate
from keras_ghostnet.export.graph.lowering.ghost import GhostModule, as_ghost_module
from keras_ghostnet.export.graph.nodes import Graph, Node


def double_ghost_modules(graph: Graph, most: int) -> Graph:
    """Doubles the convolution of a ghost module.

    `concat(x, depthwise(x))` of `x = conv(...)` becomes `depthwise'(x')`, where `conv'` has
    every filter twice and the first half of `depthwise'` is the identity. The added filters cost
    nothing where a kernel computes 16 at a time anyway. Bit-identical: the sum of a map and zeros.
    Changes and returns the graph.

    Args:
        graph: A deployment graph.
        most: Only for modules of at most so many intrinsic maps.
    """
    for node in graph.nodes():
        module = as_ghost_module(node)
        if module and module.convolution.shape[-1] <= most:
            graph.replace(node, repeat_last(module, module.convolution.shape[-1]))
    return graph


def repeat_last(module: GhostModule, count: int, zeros: int = 0) -> Node:
    """The depthwise convolution of a ghost module that also has its last intrinsic maps.

    The convolution makes these twice, and the first time they meet the identity.

    Args:
        module: A `GhostModule`.
        count: The number of intrinsic maps that there are twice.
        zeros: The number of padding channels at the end.

    Returns:
        A new node, behind a new convolution.
    """
    convolution, depthwise = module.convolution, module.depthwise
    relu, ghost_relu = module.relus
    maps = convolution.shape[-1]
    once = maps - count
    weights = [_repeated(weight, once, zeros) for weight in convolution.weights]
    filters = maps + count + zeros
    config = {**convolution.config, "filters": filters}
    shape = (*convolution.shape[:-1], filters)
    inputs = convolution.inputs
    whole = Node(convolution.name, convolution.kind, config, inputs, shape, weights)
    whole = activate(whole, relu)

    kernel, *bias = depthwise.weights
    kernel = _repeated(kernel[..., 0], once, zeros)
    height, width, _ = kernel.shape
    kernel[:, :, once:maps] = 0
    kernel[height // 2, width // 2, once:maps] = 1
    bias = [_repeated(values, once, zeros) for values in bias]
    for values in bias:
        values[once:maps] = 0
    weights = [kernel[..., None], *bias]
    whole = Node(depthwise.name, depthwise.kind, depthwise.config, [whole], shape, weights)
    return activate(whole, ghost_relu)


def _repeated(weights, once, zeros):
    """Weights whose last channels there are twice, and padding channels behind them."""
    padding = np.zeros((*weights.shape[:-1], zeros), weights.dtype)
    return np.concatenate([weights, weights[..., once:], padding], -1)
