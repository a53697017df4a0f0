"""Depthwise convolutions of rows that fill the kernels of MNN.

MNN computes 16 outputs of a row at a time, then 8, then 4 if more than 4 are left, and the rest one
by one, each of which costs a third of what 8 cost together.
"""

import keras

from keras_ghostnet.export.graph.lowering.activations import activate, activated
from keras_ghostnet.export.graph.lowering.pad import padding_of
from keras_ghostnet.export.graph.nodes import Graph, Node

BLOCK = 8
# What is left of a row behind its blocks: three or four outputs one by one, or two or three behind
# four, cost more than a block.
LEFT = (3, 4, 6, 7)


def add_columns(graph: Graph) -> Graph:
    """Computes more columns of depthwise convolutions than there are, and crops them.

    Of maps whose rows leave outputs that are computed one by one. Exact: the last columns are of
    more padding. Changes and returns the graph.

    Args:
        graph: A deployment graph.
    """
    for node in graph.nodes():
        if _fits(node):
            _widen(graph, node, -node.shape[2] % BLOCK)
    return graph


def _fits(node):
    return (
        node.kind is keras.layers.DepthwiseConv2D
        and padding_of(node) is not None
        and node.shape[2] is not None
        and node.shape[2] % BLOCK in LEFT
    )


def _widen(graph, node, columns):
    (rows, (left, right)), maps = padding_of(node)
    _, stride = node.config["strides"]
    right += columns * stride
    batch, height, width, channels = maps.shape
    shape = (batch, height + sum(rows), width + left + right, channels)
    config = {"padding": (rows, (left, right)), "data_format": "channels_last"}
    pad = Node(f"{node.name}_pad", keras.layers.ZeroPadding2D, config, [maps], shape)
    relu = activated(graph, node)
    old = relu or node
    shape = (*node.shape[:2], node.shape[2] + columns, node.shape[3])
    config = {**node.config, "padding": "valid"}
    wide = activate(Node(node.name, node.kind, config, [pad], shape, node.weights), relu)
    config = {"cropping": ((0, 0), (0, columns)), "data_format": "channels_last"}
    crop = Node(f"{node.name}_crop", keras.layers.Cropping2D, config, [wide], old.shape)
    graph.replace(old, crop)
