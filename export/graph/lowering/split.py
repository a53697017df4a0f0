"""A convolution of a concatenation as a sum of convolutions."""

import math

import keras

from keras_ghostnet.export.graph.nodes import Graph, Node, is_concatenation, is_pointwise
from keras_ghostnet.export.graph.passes.slices import can_cut, cut

CHANNELS = 3  # the axis
# Layers that treat every channel separately.
UNARY = (keras.layers.DepthwiseConv2D, keras.layers.ReLU, keras.layers.ZeroPadding2D)
# What moving a value costs: a concatenation reads and writes it, a sum reads two and writes one.
CONCATENATION, SUM = 2, 3
LEAST = 16_000  # values of a concatenation: of fewer, the copy costs no more than another operator


def split_concatenations(graph: Graph, least: int = LEAST) -> Graph:
    """Turns `conv(concat(a, b))` into `conv_a(a) + conv_b(b)`, for 1x1 convolutions.

    Also where depthwise convolutions, global pooling and the product with a gate come in between,
    which are made of the parts. Only where every use of the concatenation ends so, and where the
    sums move less memory than the concatenation. Changes and returns the graph.

    Args:
        graph: A deployment graph.
        least: Only concatenations of at least so many values.
    """
    for node in graph.nodes():
        # TFLite has images of a fixed size; maps of one place are not worth it.
        if not is_concatenation(node, CHANNELS) or None in node.shape[1:]:
            continue
        if node.shape[1:3] == (1, 1):
            continue
        ends = _convolutions(graph, node)
        if ends is None or _size(node) < least:
            continue
        if SUM * sum(map(_size, ends)) < CONCATENATION * _size(node):
            _push(graph, node)
    return graph


def _size(node):
    return math.prod(node.shape[1:])


def _convolutions(graph, node):
    """The 1x1 convolutions that all uses of some maps end in; None if some end elsewhere."""
    found = []
    for user in dict.fromkeys(graph.users(node)):
        if user is None:
            return None
        if is_pointwise(user):
            found.append(user)
        elif _is_per_channel(user) or _has_gate(graph, user, node):
            after = _convolutions(graph, user)
            if after is None:
                return None
            found += after
        elif user.kind is not keras.layers.GlobalAveragePooling2D:
            return None
    return found


def _is_per_channel(node):
    return node.kind in UNARY and node.config.get("depth_multiplier", 1) == 1


def _has_gate(graph, product, maps):
    """Whether a node multiplies maps with a gate that can be made in parts."""
    others = [part for part in product.inputs if part is not maps]
    if product.kind is not keras.layers.Multiply or len(product.inputs) != 2 or len(others) != 1:
        return False
    (gate,) = others
    fits = len(gate.shape) == 4 and gate.shape[CHANNELS] == maps.shape[CHANNELS]
    return fits and graph.only_user(gate) is product and can_cut(graph, gate, CHANNELS)


def _push(graph, concat):
    """Moves a concatenation behind everything that uses it."""
    bounds, start = [], 0
    for part in concat.inputs:
        bounds.append((start, start + part.shape[CHANNELS]))
        start = bounds[-1][1]
    for user in dict.fromkeys(graph.users(concat)):
        if user.kind is keras.layers.Conv2D:
            terms = [
                _term(user, part, *bound, with_bias=not bound[0])
                for part, bound in zip(concat.inputs, bounds, strict=True)
            ]
            add = Node(f"{user.name}_add", keras.layers.Add, {}, terms, user.shape)
            graph.replace(user, add)
            continue
        parts = [
            _part(user, concat, part, *bound)
            for part, bound in zip(concat.inputs, bounds, strict=True)
        ]
        axis = len(user.shape) - 1
        whole = Node(concat.name, keras.layers.Concatenate, {"axis": axis}, parts, user.shape)
        graph.replace(user, whole)
        if user.kind is not keras.layers.GlobalAveragePooling2D:
            _push(graph, whole)


def _term(convolution, part, start, stop, with_bias):
    """What a part of the input channels adds to a convolution; the first term has the bias."""
    kernel, *bias = convolution.weights
    weights = [kernel[:, :, start:stop], *(bias if with_bias else [])]
    config = {**convolution.config, "use_bias": bool(weights[1:])}
    return Node(convolution.name, convolution.kind, config, [part], convolution.shape, weights)


def _part(user, concat, part, start, stop):
    """What a layer makes of a part of the channels."""
    shape = (*user.shape[:-1], stop - start)
    inputs, weights = [part], user.weights
    if user.kind is keras.layers.Multiply:
        (gate,) = (other for other in user.inputs if other is not concat)
        inputs = [part, cut(gate, CHANNELS, start, stop)]
    elif user.kind is keras.layers.DepthwiseConv2D:
        kernel, *bias = weights
        weights = [kernel[:, :, start:stop], *(values[start:stop] for values in bias)]
    return Node(user.name, user.kind, user.config, inputs, shape, weights)
