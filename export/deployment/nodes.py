"""Which layer a node is."""

import keras


def is_concatenation(node, axis):
    """Whether a node joins its inputs along an axis, counted from the front."""
    return node.kind is keras.layers.Concatenate and node.axis(node.config["axis"]) == axis


def is_convolution(node):
    """Whether a node is a convolution of all channels, channels last."""
    return (
        node.kind is keras.layers.Conv2D
        and node.config["groups"] == 1
        and node.config["data_format"] == "channels_last"
    )


def is_pointwise(node):
    """Whether a node is a convolution of single pixels, at any stride."""
    return is_convolution(node) and set(node.config["kernel_size"]) == {1}
