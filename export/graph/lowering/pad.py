"""Padding of whole rows, for kernels that copy each pixel of a padded image with a call.

XNNPACK merges padding into a convolution of floats or of integers of 8 bits. In half precision it
does not, and copies the maps, the channels of one pixel at a time. As a row of values, all pixels
of a row are copied at once.
"""

import keras

from keras_ghostnet.export.graph.lowering.pack import reshape
from keras_ghostnet.export.graph.nodes import Node

WINDOWS = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D)


def pad_rows(graph):
    """Pads rows of values instead of pixels, and only where a convolution sees the padding.

    Exact: the same values at the same places. Changes and returns the graph.

    Args:
        graph: A deployment graph.
    """
    for node in graph.nodes():
        if node.kind is not keras.layers.ZeroPadding2D or None in node.shape[1:]:
            continue
        if node.config["data_format"] == "channels_last":
            graph.replace(node, _padded(node, _seen(graph, node)))
    return graph


def _seen(graph, node):
    """The padding `((top, bottom), (left, right))` but for what no user sees at its end."""
    users = graph.users(node)
    if not all(user is not None and _has_windows(user) for user in users):
        return node.config["padding"]
    result = []
    for axis, (before, after) in zip((1, 2), node.config["padding"], strict=True):
        ends = (_end(user, axis) for user in users)
        result.append((before, max(0, after - node.shape[axis] + max(ends))))
    return tuple(result)


def _has_windows(node):
    return node.kind in WINDOWS and node.config["padding"] == "valid"


def _end(node, axis):
    """How many values along an axis the windows of a convolution see."""
    size, stride, dilation = (
        node.config[name][axis - 1] for name in ("kernel_size", "strides", "dilation_rate")
    )
    return (node.shape[axis] - 1) * stride + (size - 1) * dilation + 1


def _padded(node, padding):
    (maps,) = node.inputs
    batch, height, width, channels = maps.shape
    (top, bottom), (left, right) = padding
    rows = reshape(f"{node.name}_rows", maps, (1, height, width * channels))
    config = {
        **node.config,
        "padding": ((top, bottom), (left * channels, right * channels)),
        "data_format": "channels_first",
    }
    height, width = height + top + bottom, width + left + right
    padded = Node(node.name, node.kind, config, [rows], (batch, 1, height, width * channels))
    return reshape(f"{node.name}_maps", padded, (height, width, channels))
