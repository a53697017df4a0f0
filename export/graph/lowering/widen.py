"""Padding channels, so that the number of filters suits the kernels."""

from __future__ import annotations

import dataclasses
import itertools

import keras
import numpy as np

from keras_ghostnet.export.graph.nodes import Graph, Node, is_concatenation, is_convolution
from keras_ghostnet.export.graph.passes.linear import channel_axis

# Layers that keep channels of zeros, and the order of channels.
UNARY = (
    keras.layers.DepthwiseConv2D,
    keras.layers.GlobalAveragePooling2D,
    keras.layers.ReLU,
    keras.layers.ZeroPadding2D,
)


@dataclasses.dataclass
class Widening:
    """Where the original channels are among the padding channels.

    Attributes:
        indices: The new index of every original channel, an array of integers.
        count: The number of channels with padding.
    """

    indices: np.ndarray
    count: int

    def equals(self, other: Widening) -> bool:
        """Whether another one has the same channels in the same places."""
        return self.count == other.count and np.array_equal(self.indices, other.indices)

    def spread(self, values: np.ndarray, axis: int) -> np.ndarray:
        """Weights with zeros for the padding channels."""
        shape = list(values.shape)
        shape[axis] = self.count
        result = np.zeros(shape, values.dtype)
        result[(slice(None),) * (axis % values.ndim) + (self.indices,)] = values
        return result


# What nodes output, and what they read.
Reached = tuple[dict[Node, Widening], dict[Node, Widening]]


def widen_convolutions(graph: Graph, multiple: int, sums: bool = False) -> Graph:
    """Adds padding channels to convolutions, up to a multiple that kernels are good at.

    XNNPACK has a kernel for 8 filters at a time on ARM and takes one for 2 where the number is no
    multiple of 8. The next convolution has zeros for the padding channels: exact. Only
    where every user of the maps can be widened so. Changes and returns the graph.

    Args:
        graph: A deployment graph.
        multiple: What the number of filters becomes a multiple of; numbers up to twice that stay,
            of which too large a fraction would be zeros.
        sums: Whether residual additions are widened with all that they add, from more than the
            multiple on: for kernels that take what is left over one by one.
    """
    least = multiple if sums else 2 * multiple
    for node in graph.nodes():
        filters = node.shape[-1]
        is_of_maps = is_convolution(node) and node.shape[1:3] != (1, 1)
        if is_of_maps and filters > least and filters % multiple:
            widening = Widening(np.arange(filters), -(-filters // multiple) * multiple)
            reached = reach(graph, node, widening, sums)
            if reached is not None:
                widen(reached)
    return graph


def reach(
    graph: Graph,
    start: Node,
    widening: Widening,
    sums: bool,
    modules: dict[Node, Widening] | None = None,
) -> Reached | None:
    """The nodes that compute widened maps and those that read them.

    Args:
        graph: A deployment graph.
        start: The node that is to be widened.
        widening: How.
        sums: Whether residual additions are widened, too.
        modules: Other nodes that can be widened as they are mapped to, a dict.

    Returns:
        Two dicts of nodes and widenings: of what the nodes output, and of what they read. None if
        some cannot.
    """
    modules = modules or {}
    made, taken, found = {start: widening}, {}, 0
    products = (keras.layers.Multiply, keras.layers.Add) if sums else (keras.layers.Multiply,)
    while found < len(made):  # what is added may go elsewhere, too
        found = len(made)
        for node in graph.nodes():
            parts = [part for part in node.inputs if part in made]
            if not parts:
                continue
            if is_convolution(node) or node.kind is keras.layers.Dense:
                taken[node] = made[parts[0]]
                continue
            if node.kind in UNARY and node.config.get("depth_multiplier", 1) == 1:
                result = made[parts[0]]
            elif is_concatenation(node, len(node.shape) - 1):
                result = _joined([made.get(part) or _all(part) for part in node.inputs])
            elif node.kind in products and len({part.shape[-1] for part in node.inputs}) == 1:
                result = made[parts[0]]
                makers = [_makers(part, modules) for part in node.inputs if part not in made]
                if None in makers:
                    return None
                made.update((maker, result) for part in makers for maker in part)
            else:
                return None
            if not made.setdefault(node, result).equals(result):
                return None
    if any(node in graph.outputs for node in made):
        return None
    if not all(modules[node].equals(made[node]) for node in made if node in modules):
        return None
    return made, taken


def _all(node):
    return Widening(np.arange(node.shape[-1]), node.shape[-1])


def _joined(parts):
    starts = np.cumsum([0, *(part.count for part in parts)])
    widening = [part.indices + start for part, start in zip(parts, starts, strict=False)]
    return Widening(np.concatenate(widening), int(starts[-1]))


def _makers(node, modules):
    """The convolutions whose maps a node computes, with what lies between; None for others."""
    if is_convolution(node) or node in modules:
        return [node]
    if node.kind not in (*UNARY, keras.layers.Add):
        return None
    makers = [_makers(part, modules) for part in node.inputs]
    return None if None in makers else [node, *itertools.chain.from_iterable(makers)]


def widen(reached: Reached) -> None:
    """Widens the nodes that `reach` found."""
    made, taken = reached
    for node, widening in made.items():
        if node.kind is keras.layers.Conv2D:
            node.config = {**node.config, "filters": widening.count}
            node.weights = [widening.spread(weight, -1) for weight in node.weights]
        elif node.kind is keras.layers.DepthwiseConv2D:
            kernel, *bias = node.weights
            node.weights = [widening.spread(kernel, 2), *(widening.spread(x, 0) for x in bias)]
        node.shape = (*node.shape[:-1], widening.count)
    for node, widening in taken.items():
        assert channel_axis(node) == len(node.shape) - 1
        kernel, *bias = node.weights
        node.weights = [widening.spread(kernel, -2), *bias]
