"""Ghost modules without concatenation, by doubling the convolution."""

import keras
import numpy as np

from keras_ghostnet.export.graph.lowering.activations import activate, before_activation
from keras_ghostnet.export.graph.nodes import Node, is_concatenation, is_convolution

CHANNELS = 3  # the axis


def double_ghost_modules(graph, most):
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
        is_pair = is_concatenation(node, CHANNELS) and len(node.inputs) == 2
        if is_pair and node.inputs[0].shape[CHANNELS] <= most:
            doubled = _doubled(*node.inputs)
            if doubled:
                graph.replace(node, doubled)
    return graph


def _doubled(intrinsic, ghost):
    """The module without concatenation; None if the two are not one."""
    depthwise, ghost_relu = before_activation(ghost)
    convolution, relu = before_activation(intrinsic)
    if (
        depthwise.kind is not keras.layers.DepthwiseConv2D
        or depthwise.inputs[0] is not intrinsic
        or depthwise.shape != intrinsic.shape
        or not _is_centered(depthwise)
        or not is_convolution(convolution)
        or (relu and relu.config) != (ghost_relu and ghost_relu.config)
    ):
        return None
    filters = 2 * intrinsic.shape[-1]
    whole = Node(
        convolution.name,
        convolution.kind,
        {**convolution.config, "filters": filters},
        convolution.inputs,
        (*intrinsic.shape[:-1], filters),
        [np.concatenate([weight, weight], -1) for weight in convolution.weights],
    )
    kernel, *bias = depthwise.weights
    identity = np.zeros_like(kernel)
    identity[kernel.shape[0] // 2, kernel.shape[1] // 2] = 1
    weights = [np.concatenate([identity, kernel], 2)]
    weights += [np.concatenate([np.zeros_like(part), part]) for part in bias]
    whole = activate(whole, relu)
    whole = Node(depthwise.name, depthwise.kind, depthwise.config, [whole], whole.shape, weights)
    return activate(whole, ghost_relu)


def _is_centered(depthwise):
    config = depthwise.config
    return (
        config["padding"] == "same"
        and config["depth_multiplier"] == 1
        and config["data_format"] == "channels_last"
        and set(config["strides"]) == {1}
        and all(size % 2 for size in config["kernel_size"])
    )
