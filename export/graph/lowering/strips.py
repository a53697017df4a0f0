"""Depthwise convolutions of several strips of maps at once.

For every place, XNNPACK's depthwise kernels look up where each of nine or 25 values begins, which
costs as much as multiplying many channels. Maps that are cut into strips, of which those at the
same place lie side by side as channels, are looked up once for all strips. All else that treats
every place alike needs no change for another order of places.
"""

import math

import keras
import numpy as np

from keras_ghostnet.export.graph.lowering.activations import activate, activated
from keras_ghostnet.export.graph.lowering.pack import join_reshapes, reshape
from keras_ghostnet.export.graph.lowering.pad import is_padded, padding_of
from keras_ghostnet.export.graph.nodes import Node, is_concatenation, is_pointwise
from keras_ghostnet.export.graph.passes.reshapes import ELEMENTWISE

CHANNELS = 3  # the axis
LEAST = 14  # columns of a strip, so that what strips see of each other is little
# Instructions of a Cortex-A76: for looking up a value of a window, and for beginning to copy the
# channels of a place.
LOOKUP, BEGIN = 6.7, 25


class StripPadding(keras.layers.Layer):
    """Puts beside strips `(n, height, columns, strips * channels)` what is there in the whole maps.

    Args:
        padding: `(left, right)`, columns: zeros at the borders of the maps; between strips, those
            of the next one.
        strips: Their number.
    """

    def __init__(self, padding, strips, **kwargs):
        super().__init__(**kwargs)
        self.padding = padding
        self.strips = strips

    def call(self, maps):
        left, right = self.padding
        channels = maps.shape[CHANNELS] // self.strips
        parts = [maps]
        if left:
            before = maps[:, :, -left:, :-channels]
            parts = [_join(_zeros(before, channels), before), *parts]
        if right:
            after = maps[:, :, :right, channels:]
            parts = [*parts, _join(after, _zeros(after, channels))]
        return keras.ops.concatenate(parts, 2)

    def compute_output_shape(self, shape):
        return (*shape[:2], shape[2] + sum(self.padding), shape[3])

    def get_config(self):
        return {**super().get_config(), "padding": self.padding, "strips": self.strips}


def _zeros(maps, channels):
    return keras.ops.zeros((*keras.ops.shape(maps)[:CHANNELS], channels), maps.dtype)


def _join(*parts):
    return keras.ops.concatenate(parts, CHANNELS)


def convolve_strips(graph, strips, copy, least=LEAST):
    """Has depthwise convolutions of narrow, large maps take several strips at once.

    Between the first of them and the last, where every place is treated alike, maps are in the
    order of strips; only where looking up less saves more than putting maps in order costs. Exact:
    the same sums. Changes and returns the graph.

    Args:
        graph: A deployment graph.
        strips: Into how many strips maps are cut.
        copy: Instructions that copying a value takes.
        least: Only maps of at least so many columns per strip.
    """
    depthwise = [node for node in graph.nodes() if _fits(graph, node, strips, least)]
    parts = _connected(graph, _inside(graph, depthwise))
    inside = set().union(*(part for part in parts if _pays(graph, part, depthwise, strips, copy)))
    for node, others in _borders(graph, inside).items():
        _reorder(graph, node, others, strips, back=node in inside)
    for node in depthwise:
        if node in inside:
            _convolve(graph, node, strips)
    return join_reshapes(graph)


def _pays(graph, part, depthwise, strips, copy):
    """Whether looking up less in connected nodes saves more than putting maps in order costs."""
    within = [node for node in depthwise if node in part]
    borders = _borders(graph, part)
    moved = sum(map(_places, borders)) * BEGIN + copy * sum(map(_values, borders))
    moved += copy * sum(_values(padding_of(node)[1]) for node in within)
    found = sum(_places(node) * math.prod(node.config["kernel_size"]) for node in within)
    return LOOKUP * found * (1 - 1 / strips) > moved


def _places(node):
    return math.prod(node.shape[1:3])


def _values(node):
    return math.prod(node.shape[1:])


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
        and channels == node.shape[3]
        and (not is_padded(node) or graph.only_user(node.inputs[0]) is node)
    )


def _inside(graph, depthwise):
    """The nodes that compute or read nothing but maps in the order of strips."""
    inside = {*depthwise, *(node.inputs[0] for node in depthwise if is_padded(node))}
    inside |= {relu for node in depthwise if (relu := activated(graph, node))}
    for node in reversed(graph.nodes()):
        if _treats_alike(node) and not inside.isdisjoint(graph.users(node)):
            inside.add(node)
    return inside


def _connected(graph, inside):
    """Those of some nodes that are connected, a list of sets."""
    parts = []
    for node in graph.nodes():
        if node in inside:
            near = [part for part in parts if not part.isdisjoint(node.inputs)]
            parts = [part for part in parts if part not in near] + [{node}.union(*near)]
    return parts


def _borders(graph, inside):
    """The nodes that others on the other side of the border read, which they are mapped to."""
    borders = {}
    for node in graph.nodes():
        others = [user for user in graph.users(node) if (user in inside) is not (node in inside)]
        if others:
            borders[node] = others
    return borders


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
    padding = (left, max(0, seen - left - columns))
    cut = reshape(f"{node.name}_strips", maps, (height, columns, channels))
    shape = (batch, height, columns + sum(padding), channels)
    config = {"padding": padding, "strips": strips}
    padded = Node(f"{node.name}_sides", StripPadding, config, [cut], shape)
    if any(rows):
        config = {"padding": (rows, (0, 0)), "data_format": "channels_last"}
        shape = (batch, height + sum(rows), *shape[2:])
        padded = Node(f"{node.name}_pad", keras.layers.ZeroPadding2D, config, [padded], shape)
    relu = activated(graph, node)
    kernel, *bias = node.weights
    weights = [np.tile(kernel, (1, 1, strips, 1)), *(np.tile(values, strips) for values in bias)]
    shape = (*node.shape[:2], node.shape[2] // strips, channels)
    config = {**node.config, "padding": "valid"}
    whole = activate(Node(node.name, node.kind, config, [padded], shape, weights), relu)
    graph.replace(relu or node, reshape(f"{node.name}_whole", whole, node.shape[1:]))
