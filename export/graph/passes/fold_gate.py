"""Folds the hard sigmoid of a gate, `relu6(x + 3) / 6`, into the layers around it."""

import keras

from keras_ghostnet.export.graph.nodes import Node
from keras_ghostnet.export.graph.operations import rescaling
from keras_ghostnet.export.graph.passes.linear import is_linear, scale_input, scale_output

# Layers for which `layer(s * x) == s * layer(x)`, for every s > 0.
HOMOGENEOUS = (
    keras.layers.AveragePooling2D,
    keras.layers.Cropping2D,
    keras.layers.Flatten,
    keras.layers.GlobalAveragePooling2D,
    keras.layers.GlobalMaxPooling2D,
    keras.layers.MaxPooling2D,
    keras.layers.Multiply,
    keras.layers.Permute,
    keras.layers.Reshape,
    keras.layers.ZeroPadding2D,
)


def fold_gates(graph):
    """Reduces hard sigmoids after a convolution or dense layer to a ReLU6.

    The offset of 3 goes into the bias before, the factor of 1/6 into the kernels after, through
    layers that commute with a factor, such as the gate's multiplication. A factor
    that meets any other layer first stays, as a `Rescaling`. A hard sigmoid whose input
    has other uses stays whole, as in `x * hard_sigmoid(x)`. `Rescaling` layers that are in the
    model, as in the gates of Keras' MobileNetV3, are folded likewise, but not one of the model's
    input. Changes and returns the graph.
    """
    for node in graph.nodes():
        if node.kind is keras.layers.Activation and node.config["activation"] == "hard_sigmoid":
            _take_apart(graph, node)
    for node in graph.nodes():
        if node.kind is keras.layers.Rescaling and _is_scalar(node):
            _fold_rescaling(graph, node)
    return graph


def _take_apart(graph, node):
    before = node.inputs[0]
    if not is_linear(before) or graph.only_user(before) is not node:
        return
    shifted = Node(f"{node.name}_shift", *rescaling(1, 3), [before], node.shape)
    relu = Node(node.name, keras.layers.ReLU, {"max_value": 6.0}, [shifted], node.shape)
    graph.replace(node, Node(f"{node.name}_scale", *rescaling(1 / 6), [relu], node.shape))


def _fold_rescaling(graph, node):
    scale, shift = node.config["scale"], node.config["offset"]
    before = node.inputs[0]
    if before is graph.input:  # preprocessing, which may also turn integers into floats
        return
    if is_linear(before) and graph.only_user(before) is node:
        scale_output(before, scale, shift)
    elif shift == 0 and scale > 0 and (after := _linear_after(graph, node)):
        for user in after:
            scale_input(user, scale)
    else:
        return
    graph.replace(node, before)


def _is_scalar(node):
    return all(isinstance(node.config[name], (int, float)) for name in ("scale", "offset"))


def _linear_after(graph, node):
    """The linear layers that a node's output goes to; none if it also goes elsewhere."""
    found = []
    for user in graph.users(node):
        if user is None:
            return []
        if is_linear(user):
            found.append(user)
            continue
        if not _is_homogeneous(user) or sum(part is node for part in user.inputs) > 1:
            return []
        after = _linear_after(graph, user)
        if not after:
            return []
        found += after
    return found


def _is_homogeneous(node):
    if node.kind is keras.layers.ReLU:
        return node.config.get("max_value") is None and not node.config.get("threshold")
    return node.kind in HOMOGENEOUS
