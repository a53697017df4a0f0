"""Pools the parts of a concatenation instead of the whole."""

import keras

from keras_ghostnet.export.graph.nodes import Node, is_concatenation

POOLINGS = (keras.layers.GlobalAveragePooling2D, keras.layers.GlobalMaxPooling2D)


def split_pooling(graph):
    """Turns `pool(concat(a, b))` into `concat(pool(a), pool(b))`, for global poolings.

    Only where nothing else uses the concatenated maps: else they have to be made anyway. A
    concatenation that only goes into another one becomes part of that. Changes and returns the
    graph.
    """
    for pool in graph.nodes():
        if pool.kind not in POOLINGS:
            continue
        concat = pool.inputs[0]
        axis = 1 if pool.config["data_format"] == "channels_first" else 3
        if not is_concatenation(concat, axis) or graph.only_user(concat) is not pool:
            continue
        keeps = pool.config["keepdims"]
        parts = []
        for part in concat.inputs:
            shape = list(pool.shape)
            shape[axis if keeps else -1] = part.shape[axis]
            parts.append(Node(pool.name, pool.kind, pool.config, [part], tuple(shape)))
        config = {"axis": axis if keeps else -1}
        whole = Node(concat.name, keras.layers.Concatenate, config, parts, pool.shape)
        graph.replace(pool, whole)
        _join(graph, whole)
    return graph


def _join(graph, concat):
    outer = graph.only_user(concat)
    if outer and is_concatenation(outer, concat.axis(concat.config["axis"])):
        place = outer.inputs.index(concat)
        outer.inputs[place : place + 1] = concat.inputs
        outer.arguments = None
