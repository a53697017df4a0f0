"""Depthwise convolutions in the place of those for which ncnn has a faulty kernel.

See `keras_ghostnet.export.ncnn.network.Network.avoid_faulty_kernels`.
"""

import keras
import numpy as np

from keras_ghostnet.export.graph.lowering.pad import is_padded
from keras_ghostnet.export.graph.nodes import Graph

FOURS, LEFT = 4, 1  # outputs of a row that the kernel makes at a time; more that are left are wrong


def add_taps(graph: Graph) -> Graph:
    """Puts zeros around depthwise kernels of 3x3, for which ncnn has another kernel of its own.

    Only with strides of two and padding of their own, and where rows are of such a length. Exact:
    the zeros see one pixel of padding more. Changes and returns the graph.

    Args:
        graph: A deployment graph.
    """
    for node in graph.nodes():
        if not _is_faulty(graph, node):
            continue
        kernel, *biases = node.weights
        node.weights = [np.pad(kernel, ((1, 1), (1, 1), (0, 0), (0, 0))), *biases]
        node.config = {**node.config, "kernel_size": (5, 5)}
        if node.config["padding"] == "same":  # which is by the size
            continue
        (pad,) = node.inputs
        padding = tuple((before + 1, after + 1) for before, after in pad.config["padding"])
        pad.config = {**pad.config, "padding": padding}
        batch, height, width, channels = pad.shape
        pad.shape = (batch, height + 2, width + 2, channels)
    return graph


def _is_faulty(graph, node):
    if node.kind is not keras.layers.DepthwiseConv2D:
        return False
    config, (pad,) = node.config, node.inputs
    return (
        tuple(config["kernel_size"]) == (3, 3)
        and set(config["strides"]) == {2}
        and config["data_format"] == "channels_last"
        and node.shape[2] is not None
        and node.shape[2] % FOURS > LEFT
        and (config["padding"] == "same" or (is_padded(node) and graph.only_user(pad) is node))
    )
