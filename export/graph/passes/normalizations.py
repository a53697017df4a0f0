"""Normalization layers as layers whose weights are the graph's."""

import keras
import numpy as np


def convert_normalizations(graph):
    """Replaces `Normalization`: of images and maps by a depthwise convolution, else by `Rescaling`.

    The layer computes with tensors that are none of its weights: ONNX's converter takes them for
    inputs of the network. As a depthwise convolution it has, in int8, a scale for every channel,
    and no runtime breaks the network up at it. For channels last; changes and returns the graph.
    """
    for node in graph.nodes():
        if node.kind is keras.layers.Normalization:
            _convert(node)
    return graph


def _convert(node):
    channels = node.inputs[0].shape[-1]
    if channels is None or not _is_by_channel(node):
        return
    given = node.weights[:2] or [node.config["mean"], node.config["variance"]]
    mean, variance = (np.broadcast_to(np.ravel(x).astype("float64"), channels) for x in given)
    deviation = np.maximum(np.sqrt(variance), keras.config.epsilon())
    scale, offset = 1 / deviation, -mean / deviation
    if node.config["invert"]:
        scale, offset = deviation, mean
    node.weights, node.arguments = [], None
    if len(node.shape) == 4:
        node.kind = keras.layers.DepthwiseConv2D
        node.config = {"kernel_size": (1, 1), "data_format": "channels_last", "use_bias": True}
        node.weights = [scale.reshape(1, 1, channels, 1), offset]
    else:
        node.kind = keras.layers.Rescaling
        node.config = {"scale": scale.tolist(), "offset": offset.tolist()}


def _is_by_channel(node):
    """Whether what is subtracted and divided by depends on nothing but the last axis."""
    axis = node.config["axis"]
    axes = () if axis is None else axis if isinstance(axis, tuple | list) else (axis,)
    return {node.axis(one) for one in axes} <= {len(node.shape) - 1}
