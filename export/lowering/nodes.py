"""What rewrites ask of a node: which layer it is, where its parts are."""

import keras

from keras_ghostnet.export.deployment.graph import Node


def is_concatenation(node):
    """Whether a node joins maps by their channels, channels last."""
    return (
        node.kind is keras.layers.Concatenate
        and len(node.shape) == 4
        and node.axis(node.config["axis"]) == 3
    )


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


def before_activation(node):
    """What a ReLU is applied to, and the ReLU; of any other node itself, and None."""
    if node.kind is keras.layers.ReLU:
        return node.inputs[0], node
    return node, None


def activated(graph, node):
    """The ReLU that is all that uses a node; None if there is none."""
    user = graph.only_user(node)
    return user if user and user.kind is keras.layers.ReLU else None


def activate(node, activation):
    """Applies the ReLU of another node, if there is one."""
    if activation is None:
        return node
    return Node(activation.name, activation.kind, activation.config, [node], node.shape)
