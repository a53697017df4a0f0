"""A model's graph of calls, nested models included: who calls whom, and values run through it."""

import collections
import itertools

import keras


def graph_of(model):
    """The graph of a functional or sequential model, or None if it has none."""
    graph = getattr(model, "_functional", None) or model  # of a sequential model
    return graph if isinstance(model, keras.Model) and hasattr(graph, "_nodes_by_depth") else None


def calls_in(graph):
    """The calls of a graph, nodes of Keras, each after those that it takes its inputs from."""
    depths = sorted(graph._nodes_by_depth, reverse=True)
    nodes = itertools.chain.from_iterable(graph._nodes_by_depth[depth] for depth in depths)
    return [node for node in nodes if not node.is_input]


def walk(model, inputs, visit):
    """Runs values of any kind through a model, and through the models nested in it.

    Args:
        model: A functional or sequential model.
        inputs: A value for each of its inputs.
        visit: Function of a call and the list of its inputs' values, which returns a list of the
            outputs' values.

    Returns:
        The list of the outputs' values.
    """
    graph = graph_of(model)
    nodes = calls_in(graph)
    values = dict(zip(map(id, graph.inputs), inputs, strict=True))
    left = collections.Counter(id(tensor) for node in nodes for tensor in node.input_tensors)
    left.update(map(id, graph.outputs))
    for node in nodes:
        given = [values[id(tensor)] for tensor in node.input_tensors]
        inner = graph_of(node.operation)
        found = walk(node.operation, given, visit) if inner is not None else visit(node, given)
        values.update(zip(map(id, node.outputs), found, strict=True))
        for tensor in node.input_tensors:  # what nobody reads any more may be large
            left[id(tensor)] -= 1
            if not left[id(tensor)]:
                del values[id(tensor)]
    return [values[id(tensor)] for tensor in graph.outputs]


class Calls:
    """All calls in a model and in the models nested in it.

    Attributes:
        layers: The operations that are called, by path: the names of the models that they are
            nested in and their own, with slashes.
    """

    def __init__(self, model):
        self.layers = {}
        self._nodes = collections.defaultdict(list)  # of the operations, by their ids
        self._readers = collections.defaultdict(list)  # of the tensors, None for an output
        self._add(graph_of(model), "")

    def _add(self, graph, prefix):
        for node in calls_in(graph):
            operation = node.operation
            is_new = id(operation) not in self._nodes
            self._nodes[id(operation)].append(node)
            for tensor in node.input_tensors:
                self._readers[id(tensor)].append(node)
            if is_new:
                self.layers[prefix + operation.name] = operation
                inner = graph_of(operation)
                if inner is not None:
                    self._add(inner, f"{prefix}{operation.name}/")
        for tensor in graph.outputs:
            self._readers[id(tensor)].append(None)

    def of(self, operation):
        """The calls of an operation."""
        return self._nodes[id(operation)]

    def readers(self, operation):
        """The calls that take what an operation outputs; None for an output of the model."""
        return [
            reader
            for node in self.of(operation)
            for tensor in node.outputs
            for reader in self._readers[id(tensor)]
        ]

    def next(self, operation):
        """The one operation that follows on every call, and on nothing else; None if none does."""
        readers = self.readers(operation)
        followers = {id(node and node.operation): node for node in readers}
        if len(followers) != 1 or None in readers or len(readers) != len(self.of(operation)):
            return None
        follower = readers[0].operation
        alone = len(self.of(follower)) == len(readers)
        return follower if alone and all(len(node.input_tensors) == 1 for node in readers) else None
