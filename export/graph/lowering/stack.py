"""The rows that a first convolution sees, as channels, for runtimes that pack channels.

They collect what an output sees place by place, copying a block of channels at each, though an
image has only three. With its rows as channels, a convolution of 3x3 with strides of 2 sees three
places of nine values instead of nine of three, in maps of half as many rows.
"""

import keras
import numpy as np

from keras_ghostnet.export.graph.lowering.pack import reshape
from keras_ghostnet.export.graph.lowering.pad import is_padded
from keras_ghostnet.export.graph.nodes import Graph, Node, is_convolution

LAST = {"data_format": "channels_last"}


def stack_rows(graph: Graph) -> Graph:
    """Stacks the rows of images for convolutions with strides of 2: exact.

    Changes and returns the graph.

    Args:
        graph: A deployment graph.
    """
    for node in graph.nodes():
        if _fits(graph, node):
            _stack(graph, node)
    return graph


def _fits(graph, node):
    """Whether a node is a convolution of the images, padded or not, with strides of 2."""
    if not is_convolution(node) or None in node.shape[1:]:
        return False
    config = node.config
    return (
        _padded_images(node)[1] is graph.input
        and set(config["dilation_rate"]) == {1}
        and config["strides"][0] == 2
        and config["kernel_size"][0] > 1
    )


def _padded_images(node):
    """The padding of what a convolution sees, `((top, bottom), (left, right))`, and of which maps.

    Of strides, "same" pads less at the top and left.
    """
    (maps,) = node.inputs
    if is_padded(node) and node.config["padding"] == "valid":
        return maps.config["padding"], maps.inputs[0]
    totals = [0, 0]
    if node.config["padding"] == "same":
        strides, kernel = node.config["strides"], node.config["kernel_size"]
        sizes = zip(maps.shape[1:3], node.shape[1:3], strides, kernel, strict=True)
        totals = [max(0, (out - 1) * stride + size - into) for into, out, stride, size in sizes]
    return tuple((total // 2, total - total // 2) for total in totals), maps


def _stack(graph, node):
    """Pairs of rows lie side by side. Each row of the kernel has those that it sees cut out.

    Row `k` of the kernel sees row `2 n + k` for row `n` of the outputs: of pair `n + k // 2`.
    """
    ((top, _), columns), images = _padded_images(node)
    batch, height, width, channels = images.shape
    outputs, (size, _) = node.shape[1], node.config["kernel_size"]
    pairs = outputs + size // 2
    padding = ((top, 2 * pairs - top - height), (0, 0))
    maps = reshape(f"{node.name}_pairs", _pad(node, images, padding), (pairs, 2 * width, channels))
    rows = []
    for row in range(size):
        pair, second = divmod(row, 2)
        sides = (width, 0) if second else (0, width)
        config = {**LAST, "cropping": ((pair, pairs - outputs - pair), sides)}
        shape = (batch, outputs, width, channels)
        name = f"{node.name}_row{row}"
        rows.append(Node(name, keras.layers.Cropping2D, config, [maps], shape))
    shape = (batch, outputs, width, size * channels)
    maps = Node(f"{node.name}_rows", keras.layers.Concatenate, {"axis": -1}, rows, shape)
    kernel, *bias = node.weights
    stacked = np.concatenate(list(kernel), axis=1)[None]
    config = {
        **node.config,
        "kernel_size": stacked.shape[:2],
        "strides": (1, node.config["strides"][1]),
        "padding": "valid",
    }
    maps = _pad(node, maps, ((0, 0), columns))
    graph.replace(node, Node(node.name, node.kind, config, [maps], node.shape, [stacked, *bias]))


def _pad(node, maps, padding):
    batch, height, width, channels = maps.shape
    rows, columns = padding
    if not any(rows + columns):
        return maps
    shape = (batch, height + sum(rows), width + sum(columns), channels)
    name = f"{node.name}_pad_{'rows' if any(rows) else 'columns'}"
    config = {**LAST, "padding": padding}
    return Node(name, keras.layers.ZeroPadding2D, config, [maps], shape)
