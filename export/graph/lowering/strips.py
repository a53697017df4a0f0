"""Depthwise convolutions of several strips of maps at once.

For every place, XNNPACK's depthwise kernels look up where each of nine or 25 values begins, which
costs as much as multiplying many channels. Maps that are cut into strips, of which those at the
same place lie side by side as channels, are looked up once for all strips. All else that treats
every place alike needs no change for another order of places.
"""

import keras
import numpy as np

from keras_ghostnet.export.graph.lowering.activations import activate, activated
from keras_ghostnet.export.graph.lowering.pack import join_reshapes, reshape
from keras_ghostnet.export.graph.lowering.pad import is_padded, padding_of
from keras_ghostnet.export.graph.nodes import Node, is_concatenation, is_pointwise
from keras_ghostnet.export.graph.passes.reshapes import ELEMENTWISE

CHANNELS = 3  # the axis
LEAST = 14  # columns of a strip, so that what strips see of each other is little
# Channels, by stride, of more of which copying costs more than is saved: what is padded, which with
# strides is copied in any case, and what is put in order.
MOST = {1: 64, 2: 96}


class StripPadding(keras.layers.Layer):
    """Puts around strips `(n, height, columns, strips * channels)` what is there in the whole maps.

    Args:
        padding: `((top, bottom), (left, right))`: zeros at the borders of the maps; between strips,
            the next ones' columns.
        strips: Their number.
    """

    def __init__(self, padding, strips, **kwargs):
        super().__init__(**kwargs)
        self.padding = padding
        self.strips = strips

    def call(self, maps):
        rows, (left, right) = self.padding
        columns = maps.shape[2]
        channels = maps.shape[3] // self.strips
        before = maps[:, :, columns - left :, :-channels]
        after = maps[:, :, :right, channels:]
        parts = [_join([_zeros(before, 3, channels), before], 3)] if left else []
        parts += [maps]
        parts += [_join([after, _zeros(after, 3, channels)], 3)] if right else []
        maps = _join(parts, 2)
        top, bottom = (_zeros(maps, 1, count) for count in rows)
        return _join([part for part in (top, maps, bottom) if part.shape[1]], 1)

    def compute_output_shape(self, shape):
        rows, columns = map(sum, self.padding)
        return (shape[0], shape[1] + rows, shape[2] + columns, shape[3])

    def get_config(self):
        return {**super().get_config(), "padding": self.padding, "strips": self.strips}


def _zeros(maps, axis, size):
    shape = list(keras.ops.shape(maps))
    shape[axis] = size
    return keras.ops.zeros(shape, maps.dtype)


def _join(parts, axis):
    return keras.ops.concatenate(parts, axis) if len(parts) > 1 else parts[0]


def convolve_strips(graph, strips, least=LEAST):
    """Has depthwise convolutions of narrow, large maps take several strips at once.

    Between the first of them and the last, where every place is treated alike, maps are in the
    order of strips. Exact: the same sums. Changes and returns the graph.

    Args:
        graph: A deployment graph.
        strips: Into how many strips maps are cut.
        least: Only maps of at least so many columns per strip.
    """
    depthwise = [node for node in graph.nodes() if _fits(graph, node, strips, least)]
    inside = {*depthwise, *(node.inputs[0] for node in depthwise if is_padded(node))}
    inside |= {relu for node in depthwise if (relu := activated(graph, node))}
    for node in reversed(graph.nodes()):
        if _treats_alike(node) and not inside.isdisjoint(graph.users(node)):
            inside.add(node)
    for node in graph.nodes():
        users = graph.users(node)
        others = [user for user in users if (user in inside) is not (node in inside)]
        if others:
            _reorder(graph, node, others, strips, back=node in inside)
    for node in depthwise:
        _convolve(graph, node, strips)
    return join_reshapes(graph)


def _fits(graph, node, strips, least):
    if node.kind is not keras.layers.DepthwiseConv2D or padding_of(node) is None:
        return False
    _, maps = padding_of(node)
    _, height, width, channels = maps.shape
    _, stride = node.config["strides"]
    return (
        None not in (height, width)
        and width % (strips * stride) == 0
        and width >= strips * least
        and width == node.shape[2] * stride
        and channels <= MOST.get(stride, 0)
        and channels == node.shape[3]
        and (not is_padded(node) or graph.only_user(node.inputs[0]) is node)
    )


def _treats_alike(node):
    """Whether a node treats all places of its maps alike."""
    if any(part.shape[1:3] != node.shape[1:3] for part in node.inputs):
        return False
    if is_pointwise(node):
        return set(node.config["strides"]) == {1}
    return node.kind in (*ELEMENTWISE, keras.layers.Add) or is_concatenation(node, CHANNELS)


def _reorder(graph, node, users, strips, back):
    """Has some users of a node read its maps in the order of strips, or back from it."""
    _, height, width, channels = node.shape
    sizes = [strips, width // strips]
    sizes = sizes[::-1] if back else sizes
    cut = reshape(f"{node.name}_cut", node, (height, *sizes, channels))
    shape = (node.shape[0], height, *sizes[::-1], channels)
    name = f"{node.name}_order"
    ordered = Node(name, keras.layers.Permute, {"dims": (1, 3, 2, 4)}, [cut], shape)
    ordered = reshape(f"{node.name}_ordered", ordered, node.shape[1:])
    for user in users:
        if user is None:
            graph.outputs = [ordered if output is node else output for output in graph.outputs]
        else:
            user.inputs = [ordered if part is node else part for part in user.inputs]


def _convolve(graph, node, strips):
    (rows, (left, _)), maps = padding_of(node)
    batch, height, width, channels = maps.shape
    _, stride = node.config["strides"]
    seen = (node.shape[2] // strips - 1) * stride + node.config["kernel_size"][1]
    columns, channels = width // strips, strips * channels
    config = {"padding": (rows, (left, max(0, seen - left - columns))), "strips": strips}
    cut = reshape(f"{node.name}_strips", maps, (height, columns, channels))
    rows, sides = map(sum, config["padding"])
    shape = (batch, height + rows, columns + sides, channels)
    padded = Node(f"{node.name}_pad", StripPadding, config, [cut], shape)
    relu = activated(graph, node)
    kernel, *bias = node.weights
    weights = [np.tile(kernel, (1, 1, strips, 1)), *(np.tile(values, strips) for values in bias)]
    shape = (*node.shape[:2], node.shape[2] // strips, channels)
    config = {**node.config, "padding": "valid"}
    whole = activate(Node(node.name, node.kind, config, [padded], shape, weights), relu)
    graph.replace(relu or node, reshape(f"{node.name}_whole", whole, node.shape[1:]))
