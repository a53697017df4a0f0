"""Padding of whole rows, for kernels that copy each pixel of a padded image with a call.

XNNPACK merges padding into a convolution of floats or of integers of 8 bits. In half precision it
does not, and copies the maps, the channels of one pixel at a time, 16 bytes in a loop. As a row of
values, all pixels of a row are copied at once, and a concatenation with zeros copies by way of the
C library.
"""

from typing import Any

import keras

from keras_ghostnet.export.graph.lowering.pack import reshape
from keras_ghostnet.export.graph.nodes import Graph, Node

Sides = tuple[tuple[int, int], tuple[int, int]]  # top and bottom, left and right
WINDOWS = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D)


class RowPadding(keras.layers.Layer):
    """Puts zeros around rows `(n, height, values)`.

    Args:
        padding: `((top, bottom), (left, right))`: rows, and values of a row.
    """

    def __init__(self, padding: Sides, **kwargs: Any):
        super().__init__(**kwargs)
        self.padding = padding

    def call(self, rows: keras.KerasTensor) -> keras.KerasTensor:
        for axis, (before, after) in reversed(list(enumerate(self.padding, 1))):
            parts = [self._zeros(rows, axis, before), rows, self._zeros(rows, axis, after)]
            rows = keras.ops.concatenate([part for part in parts if part is not None], axis)
        return rows

    @staticmethod
    def _zeros(rows, axis, size):
        shape = list(keras.ops.shape(rows))
        shape[axis] = size
        return keras.ops.zeros(shape, rows.dtype) if size else None

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        batch, *sizes = shape
        return (batch, *map(sum, zip(sizes, *zip(*self.padding, strict=True), strict=True)))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "padding": self.padding}


def pad_rows(graph: Graph) -> Graph:
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


def is_padded(node: Node) -> bool:
    """Whether a convolution reads maps that a layer of its own pads."""
    (maps,) = node.inputs
    is_pad = maps.kind is keras.layers.ZeroPadding2D
    return is_pad and maps.config["data_format"] == "channels_last"


def padding_of(node: Node) -> tuple[Sides, Node] | None:
    """The padding of a depthwise convolution `((top, bottom), (left, right))`, and its maps.

    None if it is not of channels last, or not known.
    """
    config = node.config
    sizes = config["kernel_size"]
    if config["data_format"] != "channels_last" or set(config["dilation_rate"]) != {1}:
        return None
    if config["padding"] == "same":
        is_centered = set(config["strides"]) == {1} and all(size % 2 for size in sizes)
        rows, columns = (size // 2 for size in sizes)
        sides = ((rows, rows), (columns, columns))
        return (sides, node.inputs[0]) if is_centered else None
    if is_padded(node):
        return node.inputs[0].config["padding"], node.inputs[0].inputs[0]
    return ((0, 0), (0, 0)), node.inputs[0]


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
    rows = reshape(f"{node.name}_rows", maps, (height, width * channels))
    config = {"padding": ((top, bottom), (left * channels, right * channels))}
    height, width = height + top + bottom, width + left + right
    padded = Node(node.name, RowPadding, config, [rows], (batch, height, width * channels))
    return reshape(f"{node.name}_maps", padded, (height, width, channels))
