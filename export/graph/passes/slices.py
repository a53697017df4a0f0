"""Removes channel slices: each slice gets a convolution of its own."""

import keras

from keras_ghostnet.export.graph.nodes import Node
from keras_ghostnet.export.graph.passes.linear import channel_axis
from keras_ghostnet.export.graph.passes.pooling import POOLINGS
from keras_ghostnet.export.graph.passes.reshapes import ELEMENTWISE

JOINING = (keras.layers.Add, keras.layers.Multiply, keras.layers.Subtract)


def remove_slices(graph):
    """Splits the layers that compute maps whose channels are sliced.

    As in a G-Ghost stage: `slice(relu(conv1(x) + conv2(y)))` becomes `relu(conv1'(x) + conv2'(y))`
    with a slice of the kernels. Each part is computed once, so nothing is computed more often. A
    global pooling of the whole then pools a concatenation, which `split_pooling` makes cheap.
    Changes and returns the graph.
    """
    for node in graph.nodes():
        users = graph.users(node)
        slices = [user for user in users if user and _axis(user) is not None]
        axes = {_axis(user) for user in slices}
        if len(axes) != 1:
            continue
        (axis,) = axes
        slices.sort(key=lambda user: _bounds(user, axis))
        bounds = [_bounds(user, axis) for user in slices]
        rest = [user for user in users if user not in slices]
        if _fits(bounds, rest, node.shape[axis]) and can_cut(graph, node, axis):
            parts = [cut(node, axis, *bound) for bound in bounds]
            for user, part in zip(slices, parts, strict=True):
                graph.replace(user, part)
            config = {"axis": axis}
            name = f"{node.name}_concatenate"
            graph.replace(node, Node(name, keras.layers.Concatenate, config, parts, node.shape))
    return graph


def _axis(node):
    """The one axis that a cropping layer cuts; None for any other node."""
    if node.kind is not keras.layers.Cropping2D:
        return None
    pairs = enumerate(zip(node.shape, node.inputs[0].shape, strict=True))
    cut = [axis for axis, (after, before) in pairs if after != before]
    return cut[0] if len(cut) == 1 else None


def _bounds(node, axis):
    first = 1 if node.config["data_format"] == "channels_last" else 2
    start, end = node.config["cropping"][axis - first]
    return start, node.inputs[0].shape[axis] - end


def _fits(bounds, rest, channels):
    """Whether parts do not overlap, and what uses the whole can do with parts that cover it."""
    ends = [0, *(stop for _, stop in bounds)]
    starts = [*(start for start, _ in bounds), channels]
    gaps = [start - end for end, start in zip(ends, starts, strict=True)]
    if not rest:
        return min(gaps) >= 0
    return not any(gaps) and all(user and user.kind in POOLINGS for user in rest)


def can_cut(graph, node, axis):
    """Whether `cut` can make parts of a node: by convolutions that serve no other end on the way.

    Args:
        graph: The node's graph.
        node: The node.
        axis: That of the channels, counted from the front.
    """
    if node.kind is keras.layers.Conv2D:
        return node.config["groups"] == 1 and channel_axis(node) == axis
    return node.kind in (*ELEMENTWISE, *JOINING) and all(
        part.shape == node.shape and graph.only_user(part) is node and can_cut(graph, part, axis)
        for part in node.inputs
    )


def cut(node, axis, start, stop):
    """A copy of a node, and of what makes it, for the channels from `start` to `stop`."""
    shape = tuple(stop - start if i == axis else size for i, size in enumerate(node.shape))
    config, weights, inputs = node.config, node.weights, node.inputs
    if node.kind is keras.layers.Conv2D:
        config = {**config, "filters": stop - start}
        weights = [weight[..., start:stop] for weight in weights]
    else:
        inputs = [cut(part, axis, start, stop) for part in inputs]
    return Node(node.name, node.kind, config, inputs, shape, weights, node.arguments)
