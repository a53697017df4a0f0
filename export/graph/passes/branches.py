"""Folds parallel convolutions of one input whose outputs are added into one convolution."""

import dataclasses
import itertools

import keras
import numpy as np

from keras_ghostnet.export.graph.nodes import Node
from keras_ghostnet.export.graph.passes.fold_batch_norm import affine, fold_batch_norms
from keras_ghostnet.export.graph.passes.linear import channel_axis, kernel_and_bias

KINDS = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D)
# What branches must have in common; the dilation of one pixel is none.
COMMON = ("strides", "data_format", "groups", "depth_multiplier", "filters")


def fold_branches(graph):
    """Makes sums of convolutions one convolution, as re-parameterized networks are deployed.

    A convolution is linear: the sum of two of one input, with the same strides, is that of their
    kernels, if the smaller kernel, at its place, lies within the larger one. A batch norm of the
    input itself is a kernel of one pixel. Branches that are used elsewhere too stay. Batch norms
    behind sums are folded next. Computed in double precision; changes and returns the graph.
    """
    for node in graph.nodes():
        if node.kind is keras.layers.Add:
            _fold(graph, node)
    return fold_batch_norms(graph)


@dataclasses.dataclass(frozen=True)
class _Branch:
    """A node that is linear in the maps of `source`.

    Attributes:
        node: A convolution or a batch norm.
        source: What it is computed from, without padding.
        first: Row and column of the source that its kernel begins at, for the first output.
        size: Rows and columns of its kernel.
    """

    node: Node
    source: Node
    first: tuple = (0, 0)
    size: tuple = (1, 1)


def _fold(graph, node):
    """Folds those of a sum's inputs that can be; the sum itself if one is left."""
    alone = [_branch(part) if graph.only_user(part) is node else None for part in node.inputs]
    kept = [part for part, branch in zip(node.inputs, alone, strict=True) if not branch]
    sums = []
    # Batch norms and small kernels go into larger ones.
    for branch in sorted(filter(None, alone), key=lambda branch: np.prod(branch.size))[::-1]:
        for place, other in enumerate(sums):
            if total := _sum(other, branch):
                sums[place] = total
                break
        else:
            sums.append(branch)
    parts = kept + [branch.node for branch in sums]
    if len(parts) == 1:
        graph.replace(node, parts[0])
    elif len(parts) < len(node.inputs):
        node.inputs, node.arguments = parts, None


def _branch(node):
    """What a node is as a branch; None if it is none."""
    if len(node.shape) != 4 or len(node.inputs) != 1:
        return None
    (source,) = node.inputs
    if node.kind is keras.layers.BatchNormalization:
        return _Branch(node, source, size=(0, 0))
    if node.kind not in KINDS:
        return None
    size, first = tuple(node.config["kernel_size"]), _padding(node)
    padded = source.kind is keras.layers.ZeroPadding2D
    if first is None or (padded and source.config["data_format"] != node.config["data_format"]):
        return None
    if padded:
        before = [pair[0] for pair in source.config["padding"]]
        first = tuple(-rows - own for rows, own in zip(before, first, strict=True))
        return _Branch(node, source.inputs[0], first, size)
    return _Branch(node, source, tuple(-own for own in first), size)


def _padding(node):
    """Rows and columns that a convolution pads in front; None if they are not known."""
    if node.config["padding"] == "valid":
        return (0, 0)
    axes = (1, 2) if channel_axis(node) == 3 else (2, 3)
    found = []
    for place, axis in enumerate(axes):
        strides, dilation = (node.config[name][place] for name in ("strides", "dilation_rate"))
        span = (node.config["kernel_size"][place] - 1) * dilation
        size, outputs = node.inputs[0].shape[axis], node.shape[axis]
        if strides > 1 and None in (size, outputs):
            return None
        total = span if strides == 1 else max((outputs - 1) * strides + span + 1 - size, 0)
        found.append(total // 2)
    return tuple(found)


def _sum(large, small):
    """The branch that is the sum of two; None if no convolution is."""
    node, other = large.node, small.node
    if node.kind not in KINDS or large.source is not small.source or node.shape != other.shape:
        return None
    kernel, bias = kernel_and_bias(node)
    if other.kind is keras.layers.BatchNormalization:
        part = _identity(node, other, kernel.shape)
        if part is None:
            return None
        scale, shift = affine(other)
        part, size = part * (scale[:, None] if node.kind is KINDS[1] else scale), (1, 1)
    else:
        alike = other.kind is node.kind and all(
            node.config.get(name) == other.config.get(name) for name in COMMON
        )
        if not alike:
            return None
        (part, shift), size = kernel_and_bias(other), small.size
    place = []
    for axis, rows in enumerate(size):
        step = node.config["dilation_rate"][axis]
        distance = small.first[axis] - large.first[axis]
        same = rows == 1 or other.config["dilation_rate"][axis] == step
        if not same or distance % step or not 0 <= distance // step <= large.size[axis] - rows:
            return None
        place.append(slice(distance // step, distance // step + rows))
    kernel[tuple(place)] += part
    config = {**node.config, "use_bias": True}
    summed = Node(
        _name(node.name, other.name),
        node.kind,
        config,
        node.inputs,
        node.shape,
        [kernel, bias + shift],
    )
    return dataclasses.replace(large, node=summed)


def _name(first, second):
    """What the names of two branches begin with: that of the layer that they are parts of."""
    words = zip(first.split("_"), second.split("_"), strict=False)
    return (
        "_".join(a for a, _ in itertools.takewhile(lambda pair: pair[0] == pair[1], words)) or first
    )


def _identity(node, norm, shape):
    """A kernel of one pixel that outputs its input; None if a convolution cannot hold it."""
    if norm.axis(norm.config["axis"]) != channel_axis(node) or set(node.config["strides"]) != {1}:
        return None
    inputs, outputs = shape[-2:]
    if node.kind is KINDS[1]:
        return np.ones((1, 1, inputs, 1)) if outputs == 1 else None
    if inputs * node.config["groups"] != outputs:
        return None
    return np.tile(np.eye(inputs), node.config["groups"])[None, None]
