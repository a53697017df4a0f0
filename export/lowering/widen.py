"""Filters that make nothing, so that their number suits the kernels."""

import dataclasses

import keras
import numpy as np

from keras_ghostnet.export.deployment.linear import channel_axis
from keras_ghostnet.export.deployment.nodes import is_concatenation, is_convolution

# Layers that leave a channel of zeros one, and channels in their order.
UNARY = (
    keras.layers.DepthwiseConv2D,
    keras.layers.GlobalAveragePooling2D,
    keras.layers.ReLU,
    keras.layers.ZeroPadding2D,
)


@dataclasses.dataclass
class Places:
    """Where channels are among those that were added.

    Attributes:
        of: The new number of every channel that was there, an array of integers.
        count: How many channels there are.
    """

    of: np.ndarray
    count: int

    def spread(self, values, axis):
        """Weights with zeros for the channels that were added."""
        shape = list(values.shape)
        shape[axis] = self.count
        result = np.zeros(shape, values.dtype)
        result[(slice(None),) * (axis % values.ndim) + (self.of,)] = values
        return result


def widen_convolutions(graph, multiple):
    """Gives convolutions filters of zeros, up to a multiple that kernels are good at.

    XNNPACK has a kernel for 8 filters at a time on ARM and takes one for 2 where the number is no
    multiple of 8. The channels of zeros end in the next convolution, which meets them with zeros:
    exact. Only where all that uses the maps can be told so. Changes and returns the graph.

    Args:
        graph: A deployment graph.
        multiple: What the number of filters becomes a multiple of; numbers up to twice that stay,
            of which too large a part would be zeros.
    """
    for node in graph.nodes():
        filters = node.shape[-1]
        is_of_maps = is_convolution(node) and node.shape[1:3] != (1, 1)
        if is_of_maps and filters > 2 * multiple and filters % multiple:
            places = Places(np.arange(filters), -(-filters // multiple) * multiple)
            reached = _reached(graph, node, places)
            if reached is not None:
                _widen(reached)
    return graph


def _reached(graph, start, places):
    """The nodes whose channels change and the places of these; None if that is not possible."""
    made, taken = {start: places}, {}
    for node in graph.nodes():
        parts = [part for part in node.inputs if part in made]
        if not parts or node in made:
            continue
        if is_convolution(node) or node.kind is keras.layers.Dense:
            taken[node] = made[parts[0]]
        elif node.kind in UNARY and node.config.get("depth_multiplier", 1) == 1:
            made[node] = made[parts[0]]
        elif is_concatenation(node, len(node.shape) - 1):
            made[node] = _joined([made.get(part) or _all(part) for part in node.inputs])
        elif node.kind is keras.layers.Multiply and len(node.inputs) == 2 and len(parts) == 1:
            makers = _makers(graph, node, next(x for x in node.inputs if x not in made))
            if makers is None:
                return None
            made.update(dict.fromkeys((node, *makers), made[parts[0]]))
        else:
            return None
    return None if any(node in graph.outputs for node in made) else (made, taken)


def _all(node):
    return Places(np.arange(node.shape[-1]), node.shape[-1])


def _joined(parts):
    starts = np.cumsum([0, *(part.count for part in parts)])
    places = [part.of + start for part, start in zip(parts, starts, strict=False)]
    return Places(np.concatenate(places), int(starts[-1]))


def _makers(graph, product, gate):
    """The convolution of a gate and the ReLUs after it; None if they serve others too."""
    makers, user = [], product
    while graph.only_user(gate) is user:
        makers.append(gate)
        if is_convolution(gate):
            return makers
        if gate.kind is not keras.layers.ReLU:
            return None
        user, gate = gate, gate.inputs[0]
    return None


def _widen(reached):
    made, taken = reached
    for node, places in made.items():
        if node.kind is keras.layers.Conv2D:
            node.config = {**node.config, "filters": places.count}
            node.weights = [places.spread(weight, -1) for weight in node.weights]
        elif node.kind is keras.layers.DepthwiseConv2D:
            kernel, *bias = node.weights
            node.weights = [places.spread(kernel, 2), *(places.spread(x, 0) for x in bias)]
        node.shape = (*node.shape[:-1], places.count)
    for node, places in taken.items():
        assert channel_axis(node) == len(node.shape) - 1
        kernel, *bias = node.weights
        node.weights = [places.spread(kernel, -2), *bias]
