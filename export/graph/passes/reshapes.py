"""Removes `Flatten` and `Reshape`, which compute shapes at run time."""

import keras

from keras_ghostnet.export.graph.nodes import Node, is_pointwise
from keras_ghostnet.export.graph.passes.pooling import POOLINGS

RESHAPES = (keras.layers.Flatten, keras.layers.Reshape)
ELEMENTWISE = (
    keras.layers.Activation,
    keras.layers.ELU,
    keras.layers.LeakyReLU,
    keras.layers.ReLU,
    keras.layers.Rescaling,
)


def remove_reshapes(graph):
    """Replaces reshapes around global pooling and in front of dense layers.

    - One that changes nothing is removed.
    - One of pooled features to 1x1 maps becomes the pooling's `keepdims`.
    - One of pooled 1x1 maps to features is removed, and the 1x1 convolutions in between become
      dense layers. If the maps were not pooled it becomes global average pooling.
    - `Flatten` of maps before a dense layer: the dense layer becomes a convolution of the maps'
      size.

    Others stay. For channels last; changes and returns the graph.
    """
    for node in graph.nodes():
        if node.kind in RESHAPES:
            for rule in (_same, _to_1x1, _from_pooled, _from_1x1, _before_dense):
                new = rule(graph, node)
                if new:
                    graph.replace(node, new)
                    break
    return graph


def _same(graph, node):
    (before,) = node.inputs
    return before if node.shape == before.shape and None not in node.shape[1:] else None


def _to_1x1(graph, node):
    (pool,) = node.inputs
    if pool.kind not in POOLINGS or pool.config["keepdims"] or not _is_last(pool):
        return None
    if node.shape[1:] != (1, 1, pool.shape[-1]):
        return None
    config = {**pool.config, "keepdims": True}
    return Node(pool.name, pool.kind, config, pool.inputs, node.shape)


def _from_pooled(graph, node):
    if not _is_1x1(node):
        return None
    chain, part = [], node
    while True:
        before = part.inputs[0]
        if graph.only_user(before) is not part:
            return None
        part = before
        chain.append(part)
        if part.kind in POOLINGS:
            break
        if not (part.kind in (*ELEMENTWISE, keras.layers.Dense) or is_pointwise(part)):
            return None
    if not _is_last(part) or not part.config["keepdims"]:
        return None
    part.config = {**part.config, "keepdims": False}
    for part in chain:
        part.shape = (part.shape[0], part.shape[-1])
        if part.kind is keras.layers.Conv2D:
            config = {"units": part.shape[-1], "use_bias": part.config["use_bias"]}
            kernel, *bias = part.weights
            part.kind, part.config = keras.layers.Dense, {**config, "activation": "linear"}
            part.weights = [kernel.reshape(kernel.shape[-2:]), *bias]
    return chain[0]


def _from_1x1(graph, node):
    return _mean(node.name, node.inputs[0]) if _is_1x1(node) else None


def _before_dense(graph, node):
    (maps,), dense = node.inputs, graph.only_user(node)
    if (
        node.kind is not keras.layers.Flatten
        or node.config["data_format"] != "channels_last"
        or dense is None
        or dense.kind is not keras.layers.Dense
        or len(maps.shape) != 4
        or None in maps.shape[1:]
    ):
        return None
    kernel, *bias = dense.weights
    units = kernel.shape[-1]
    config = {
        "filters": units,
        "kernel_size": maps.shape[1:3],
        "padding": "valid",
        "data_format": "channels_last",
        "use_bias": dense.config["use_bias"],
        "activation": "linear",
    }
    shape = (maps.shape[0], 1, 1, units)
    weights = [kernel.reshape((*maps.shape[1:], units)), *bias]
    conv = Node(dense.name, keras.layers.Conv2D, config, [maps], shape, weights)
    graph.replace(dense, _mean(node.name, conv))
    return conv


def _mean(name, maps):
    """Features of 1x1 maps, as their mean."""
    config = {"data_format": "channels_last", "keepdims": False}
    shape = (maps.shape[0], maps.shape[-1])
    return Node(name, keras.layers.GlobalAveragePooling2D, config, [maps], shape)


def _is_1x1(node):
    """Whether a reshape makes features of 1x1 maps, channels last."""
    shape = node.inputs[0].shape
    return len(shape) == 4 and shape[1:3] == (1, 1) and node.shape[1:] == shape[3:]


def _is_last(node):
    return node.config["data_format"] == "channels_last"
