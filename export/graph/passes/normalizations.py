"""Normalization layers as layers whose weights are the graph's."""

import keras
import numpy as np


def convert_normalizations(graph):
    """Replaces `Normalization`: by channel of maps by a depthwise convolution, else by `Rescaling`.

    The layer computes with tensors that are none of its weights: ONNX's converter takes them for
    inputs of the network. As a depthwise convolution it has, in int8, a scale for every channel,
    and no runtime breaks the network up at it. For channels last; changes and returns the graph.
    """
    for node in graph.nodes():
        if node.kind is keras.layers.Normalization:
            _convert(node)
    return graph


def _convert(node):
    maps, axis = node.inputs[0].shape, node.config["axis"]
    axes = () if axis is None else axis if isinstance(axis, tuple | list) else (axis,)
    kept = {node.axis(one) for one in axes}
    by_channel = len(maps) == 4 and kept <= {3}
    if None in [maps[axis] for axis in (*kept, *([3] if by_channel else []))]:
        return
    given = node.weights[:2] or [node.config["mean"], node.config["variance"]]
    shape = [size if axis in kept else 1 for axis, size in enumerate(maps)]
    mean, variance = (
        np.broadcast_to(np.asarray(x, "float64"), [maps[a] for a in sorted(kept)]).reshape(shape)
        for x in given
    )
    deviation = np.maximum(np.sqrt(variance), keras.config.epsilon())
    scale, offset = 1 / deviation, -mean / deviation
    if node.config["invert"]:
        scale, offset = deviation, mean
    node.weights, node.arguments = [], None
    if by_channel:
        scale, offset = (np.broadcast_to(np.ravel(x), maps[3]) for x in (scale, offset))
        node.kind = keras.layers.DepthwiseConv2D
        node.config = {"kernel_size": (1, 1), "data_format": "channels_last", "use_bias": True}
        node.weights = [scale.reshape(1, 1, -1, 1), offset]
    else:
        node.kind = keras.layers.Rescaling
        node.config = {"scale": scale[0].tolist(), "offset": offset[0].tolist()}
