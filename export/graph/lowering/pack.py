"""Convolutions of several pixels at once, for kernels that take many values at a time.

Channels last, neighbors in a row lie side by side in memory: a reshape makes maps of a half or a
quarter of the width with twice or four times the channels. A matrix unit multiplies 16 rows of 64
values with 64 filters at once, however few of them there are. Kernels without one take eight
inputs at a time, of which the three colors of a pixel leave five unused.
"""

from collections.abc import Sequence

import keras
import numpy as np

from keras_ghostnet.export.graph.lowering.activations import activate, activated
from keras_ghostnet.export.graph.nodes import Graph, Node, is_convolution, is_pointwise

ROWS = 16  # of a matrix unit: with fewer left, there is nothing to gain
BLOCKS = 5  # of `values` inputs: a row may take so many, as zeros cost little there


def pack_pixels(graph: Graph, values: int) -> Graph:
    """Packs neighboring pixels for 1x1 convolutions.

    The kernel of several pixels has that of one along its diagonal and zeros elsewhere: exact.
    Changes and returns the graph.

    Args:
        graph: A deployment graph.
        values: The outputs that a matrix unit makes at once.
    """
    for node in graph.nodes():
        if is_pointwise(node) and set(node.config["strides"]) == {1}:
            _pack_pointwise(graph, node, values)
    return join_reshapes(graph)


def pack_stem(graph: Graph, values: int) -> Graph:
    """Packs neighboring pixels of the images for a stem of 3x3 and stride 2.

    An output sees two pairs of pixels in each of three rows, which are six positions of six values
    instead of nine of three. Exact: what an output does not see has zeros in its kernel. Changes
    and returns the graph.

    Args:
        graph: A deployment graph.
        values: The outputs to make at once; those of one place at least.
    """
    for node in graph.nodes():
        if _is_stem(graph, node):
            _pack_stem(graph, node, values)
    return join_reshapes(graph)


def _pack_pointwise(graph, node, values):
    _, height, width, filters = node.shape
    channels = node.inputs[0].shape[-1]
    if None in (height, width):
        return
    limit = min(values // filters, BLOCKS * values // channels, height * width // ROWS)
    pixels = max((n for n in range(1, limit + 1) if width % n == 0), default=1)
    if pixels == 1:
        return
    kernel, *bias = node.weights
    packed = np.zeros((1, 1, pixels * channels, pixels * filters), kernel.dtype)
    for n in range(pixels):
        inputs = slice(n * channels, (n + 1) * channels)
        packed[:, :, inputs, n * filters : (n + 1) * filters] = kernel
    shape = (height, width // pixels, pixels * channels)
    maps = reshape(f"{node.name}_pack", node.inputs[0], shape)
    shape = (node.shape[0], height, width // pixels, pixels * filters)
    config = {**node.config, "filters": pixels * filters}
    weights = [packed, *(np.tile(part, pixels) for part in bias)]
    _put(graph, node, Node(node.name, node.kind, config, [maps], shape, weights))


def _is_stem(graph, node):
    """Whether a node sees padded images, and those 3x3 at every second place."""
    if not is_convolution(node) or node.inputs[0].kind is not keras.layers.ZeroPadding2D:
        return False
    (pad,) = node.inputs
    return (
        pad.inputs[0] is graph.input
        and pad.config["padding"] == ((1, 1), (1, 1))
        and pad.config["data_format"] == "channels_last"
        and node.config["padding"] == "valid"
        and set(node.config["kernel_size"]) == {3}
        and set(node.config["strides"]) == {2}
    )


def _pack_stem(graph, node, values):
    """Makes several outputs of a row at once, of the pixels that they see.

    `n` outputs see `2 n` pixels and the one before: two groups of pixels, which makes a kernel of
    3x2 of one of 3x3.
    """
    (pad,) = node.inputs
    (images,) = pad.inputs
    _, height, width, channels = images.shape
    _, rows, columns, filters = node.shape
    outputs = max(1, values // filters)
    if None in (height, width) or height % 2 or width % (2 * outputs):
        return
    kernel, *bias = node.weights
    pixels = 2 * outputs
    packed = np.zeros((3, 2, pixels * channels, outputs * filters), kernel.dtype)
    for output in range(outputs):
        for offset in range(3):
            group, pixel = divmod(2 * output + offset - 1 + pixels, pixels)
            inputs = slice(pixel * channels, (pixel + 1) * channels)
            packed[:, group, inputs, output * filters : (output + 1) * filters] = kernel[:, offset]
    shape = (height, width // pixels, pixels * channels)
    maps = reshape(f"{node.name}_pack", images, shape)
    # Below and to the right, nothing of the padding is seen.
    config = {**pad.config, "padding": ((1, 0), (1, 0))}
    shape = (images.shape[0], height + 1, width // pixels + 1, pixels * channels)
    maps = Node(pad.name, pad.kind, config, [maps], shape)
    config = {
        **node.config,
        "filters": outputs * filters,
        "kernel_size": (3, 2),
        "strides": (2, 1),
    }
    shape = (node.shape[0], rows, columns // outputs, outputs * filters)
    weights = [packed, *(np.tile(part, outputs) for part in bias)]
    _put(graph, node, Node(node.name, node.kind, config, [maps], shape, weights))


def _put(graph, node, packed):
    """Replaces a convolution, and its ReLU, by a packed one."""
    relu = activated(graph, node)
    old = relu or node
    shape = node.shape[1:]
    graph.replace(old, reshape(f"{node.name}_unpack", activate(packed, relu), shape))


def reshape(name: str, maps: Node, shape: Sequence[int | None]) -> Node:
    config = {"target_shape": tuple(shape)}
    return Node(name, keras.layers.Reshape, config, [maps], (maps.shape[0], *shape))


def join_reshapes(graph: Graph) -> Graph:
    """One reshape instead of two in a row, none if they undo each other."""
    for node in graph.nodes():
        if node.kind is keras.layers.Reshape and node.inputs[0].kind is keras.layers.Reshape:
            (maps,) = node.inputs[0].inputs
            if maps.shape[1:] == node.shape[1:]:
                graph.replace(node, maps)
            else:
                node.inputs = [maps]
    return graph
