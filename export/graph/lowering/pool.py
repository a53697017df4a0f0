"""Averages of whole maps by way of averages of windows, for kernels that add up faster there.

In half precision XNNPACK adds up whole maps in float32, four values at a time, and windows in half
precision, eight at a time. Windows are small, so that their sums are neither large nor imprecise;
what is left of them is averaged in float32.
"""

import keras

from keras_ghostnet.export.graph.nodes import Graph, Node

LEAST = 3  # places along an axis: of fewer, a window saves nothing


def average_windows(graph: Graph, most: int) -> Graph:
    """Averages windows of equal size before whole maps.

    Exact: windows cover the maps without overlapping. Changes and returns the graph.

    Args:
        graph: A deployment graph.
        most: The most places of a window along an axis.
    """
    for node in graph.nodes():
        if node.kind is not keras.layers.GlobalAveragePooling2D:
            continue
        (maps,) = node.inputs
        if node.config["data_format"] != "channels_last" or None in maps.shape[1:3]:
            continue
        window = tuple(_divisor(size, most) for size in maps.shape[1:3])
        if min(window) >= LEAST:
            pooled = _pooled(node, maps, window)
            if node.config["keepdims"] and pooled.shape == node.shape:
                graph.replace(node, pooled)
            else:
                node.inputs = [pooled]
    return graph


def _divisor(size, most):
    return max(n for n in range(1, most + 1) if size % n == 0)


def _pooled(node, maps, window):
    config = {"pool_size": window, "strides": window, "padding": "valid"}
    batch, *sizes, channels = maps.shape
    shape = (batch, *(size // part for size, part in zip(sizes, window, strict=True)), channels)
    config["data_format"] = node.config["data_format"]
    name = f"{node.name}_windows"
    return Node(name, keras.layers.AveragePooling2D, config, [maps], shape)
