"""Removes selections of channels, which XNNPACK does not run, by merging them into kernels."""

import keras
import numpy as np

from keras_ghostnet.export.graph.nodes import Node

RESHAPING = (keras.layers.Reshape, keras.layers.Permute)


def merge_selections(graph):
    """Merges selections of channels, `keras.ops.take`, into the adjacent 1x1 convolutions.

    A selection, the shuffle of groups and a grouped 1x1 convolution are linear in the channels of
    one pixel. So is their composition: a 1x1 convolution without groups, most of whose kernel
    is zero. It multiplies more and moves nothing. Where no channels are selected, groups and
    shuffles stay. For channels last; changes and returns the graph.
    """
    for node in graph.nodes():
        if not _is_pointwise(node):
            continue
        before, after = _before(graph, node), _after(graph, node)
        if not any(end and _is_take(end) for end in (before, after)):
            continue
        kernel, *bias = node.weights
        kernel = _without_groups(kernel[0, 0], node.config["groups"])
        source, end = node.inputs[0], node
        if before:
            source, channels = _selection(before)
            kernel, selected = np.zeros((source.shape[-1], kernel.shape[-1])), kernel
            np.add.at(kernel, channels, selected)
        if after:
            end, (_, channels) = after, _selection(after)
            kernel, bias = kernel[:, channels], [value[channels] for value in bias]
        config = {**node.config, "groups": 1, "filters": kernel.shape[-1]}
        weights = [kernel[None, None], *bias]
        graph.replace(end, Node(node.name, node.kind, config, [source], end.shape, weights))
    return graph


def _before(graph, node):
    """The last node of the selection or shuffle that a convolution alone takes."""
    (part,) = node.inputs
    return part if _selection(part) and graph.only_user(part) is node else None


def _after(graph, node):
    """The last node of the selection or shuffle that is the only user of a convolution's output."""
    part = graph.only_user(node)
    while part and part.kind in RESHAPING and not _selection(part):
        part = graph.only_user(part)
    return part if part and _selection(part) and _selection(part)[0] is node else None


def _selection(node):
    """Of a selection or shuffle: the node it takes channels of, and which, in their order."""
    if _is_take(node):
        return node.inputs[0], np.asarray(node.arguments[0][1])
    if node.kind is not keras.layers.Reshape or node.inputs[0].kind is not keras.layers.Permute:
        return None
    (transposed,) = node.inputs
    (grouped,) = transposed.inputs
    if tuple(transposed.config["dims"]) != (1, 2, 4, 3) or grouped.kind is not keras.layers.Reshape:
        return None
    (source,) = grouped.inputs
    if node.shape != source.shape or grouped.shape[1:3] != source.shape[1:3]:
        return None
    return source, np.arange(source.shape[-1]).reshape(grouped.shape[3:]).T.ravel()


def _is_take(node):
    # Keras does not export the classes of its operations: they are known by their names.
    if node.kind.__name__ != "Take" or len(node.shape) != 4 or node.config["axis"] is None:
        return False
    return node.axis(node.config["axis"]) == 3 and len(node.arguments[0]) == 2


def _is_pointwise(node):
    if node.kind is not keras.layers.Conv2D or node.config["data_format"] != "channels_last":
        return False
    return set(node.config["kernel_size"]) == set(node.config["strides"]) == {1}


def _without_groups(kernel, groups):
    """Kernel `(inputs, outputs)` of a grouped convolution's, `(inputs / groups, outputs)`."""
    inputs, outputs = kernel.shape[0], kernel.shape[1] // groups
    result = np.zeros((inputs * groups, outputs * groups))
    for group in range(groups):
        rows, columns = group * inputs, slice(group * outputs, (group + 1) * outputs)
        result[rows : rows + inputs, columns] = kernel[:, columns]
    return result
