"""Networks for one pass, and what it makes of them."""

import dataclasses

import keras
import numpy as np

from keras_ghostnet.export.graph.flatten import flatten
from keras_ghostnet.export.graph.nodes import Graph
from keras_ghostnet.export.graph.tracing import for_tracing

SHAPE = (8, 8, 4)
DEPTHWISE = "DepthwiseConv2D"


def network(function, shape=SHAPE):
    """A model of a function of its input, with random weights everywhere."""
    inputs = keras.Input(shape)
    model = keras.Model(inputs, function(inputs))
    random = np.random.default_rng(0)
    for weight in model.weights:
        positive = weight.name in ("gamma", "moving_variance")
        low, high = (0.5, 1.5) if positive else (-1, 1)
        weight.assign(random.uniform(low, high, weight.shape))
    return model


def copied(graph):
    """The same graph with nodes of its own, which takes far less time than to flatten again."""
    nodes = {}
    for node in graph.nodes():
        inputs = [nodes[part] for part in node.inputs]
        weights = [weight.copy() for weight in node.weights]
        nodes[node] = dataclasses.replace(
            node, inputs=inputs, config=dict(node.config), weights=weights
        )
    outputs = [nodes[output] for output in graph.outputs]
    return Graph(graph.name, nodes[graph.input], outputs, graph.structure)


def after(step, model, tolerance=1e-9):
    """Kinds of the layers that a step leaves of a model, its result being the same function."""
    graph = flatten(model)
    found = for_tracing(step(copied(graph)).to_model("float64"))
    x = np.random.default_rng(1).normal(size=(3, *model.input_shape[1:]))
    exact = for_tracing(graph.to_model("float64"))
    expected = np.asarray(exact(x, training=False))
    np.testing.assert_allclose(found(x, training=False), expected, atol=tolerance * expected.std())
    return [type(operation).__name__ for operation in found.operations[1:]]
