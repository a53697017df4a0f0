"""Average pooling as a depthwise convolution."""

import keras
import numpy as np

MOST = 25  # taps, as many as XNNPACK's widest depthwise kernel takes at once


def convolve_averages(graph):
    """Replaces average pooling by a depthwise convolution of equal weights.

    XNNPACK pools no maps of 8 bits other than globally: each pooling would break the network up.
    In floating point the convolution takes no longer. For channels last and pooling that pads
    nothing; changes and returns the graph.
    """
    for node in graph.nodes():
        if not _fits(node):
            continue
        size = tuple(node.config["pool_size"])
        node.kind = keras.layers.DepthwiseConv2D
        node.config = {
            "kernel_size": size,
            "strides": node.config["strides"],
            "padding": "valid",
            "data_format": "channels_last",
            "use_bias": False,
            "activation": "linear",
        }
        node.weights = [np.full((*size, node.shape[-1], 1), 1 / np.prod(size))]
    return graph


def _fits(node):
    if node.kind is not keras.layers.AveragePooling2D or node.config["padding"] != "valid":
        return False
    if node.config["data_format"] != "channels_last" or node.shape[1:3] == (1, 1):
        return False  # 1x1 outputs are global pooling
    is_even = len(set(node.config["strides"])) == 1  # TensorFlow convolves with no others
    return is_even and np.prod(node.config["pool_size"]) <= MOST
