"""A model as data: which stock layers there are, with which arguments, weights and inputs.

Keras layers cannot be changed or rewired once they are built. So a model is read into this graph
(`flatten`), changed there, and rebuilt from it.
"""

import dataclasses

import keras
import numpy as np

from keras_ghostnet.copying import set_weights
from keras_ghostnet.export.graph.refusals import first_line, refusal

DTYPE = "float32"
CHANNELS_FIRST = 1  # the axis


@dataclasses.dataclass(frozen=True)
class Slot:
    """Stands for a node's input of this index in the arguments of a call."""

    index: int


class Pick:
    """The kind of a node that is one of several outputs of the node before it."""


@dataclasses.dataclass(eq=False)
class Node:
    """One call of a layer.

    Attributes:
        name: The layer's name; made unique when the graph is built.
        kind: Class of a stock layer or Keras operation, or `Pick`.
        config: Arguments of the layer but name and data type.
        inputs: Nodes whose outputs the layer is called with.
        shape: Of the output, with the batch; None for sizes that are not known.
        weights: Arrays in the order of the layer's `weights`.
        arguments: Positional and named arguments of the call, with a `Slot` for every input;
            None for the input itself or, where there are several, their list.
    """

    name: str
    kind: type
    config: dict
    inputs: list
    shape: tuple
    weights: list = dataclasses.field(default_factory=list)
    arguments: tuple | None = None

    def axis(self, axis):
        """An axis counted from the front."""
        return axis % len(self.shape)


class Graph:
    """Nodes from one input to the outputs. Passes change it in place.

    Attributes:
        name: The model's name.
        input: The `Node` of the input.
        outputs: List of nodes.
        structure: Nested structure of the model's output, e.g. a single tensor.
    """

    def __init__(self, name, input, outputs, structure):
        self.name = name
        self.input = input
        self.outputs = outputs
        self.structure = structure

    def nodes(self):
        """All nodes that the outputs need, each after its inputs."""
        done, order = {self.input}, [self.input]
        stack = list(reversed(self.outputs))
        while stack:
            node = stack[-1]
            missing = [part for part in node.inputs if part not in done]
            if missing:
                stack.extend(reversed(missing))
                continue
            stack.pop()
            if node not in done:
                done.add(node)
                order.append(node)
        return order

    def users(self, node):
        """The nodes that a node's output goes to, once for every use; None for an output."""
        users = [user for user in self.nodes() for part in user.inputs if part is node]
        return users + [None for output in self.outputs if output is node]

    def only_user(self, node):
        """The one node that uses a node's output; None if there are several, or it is an output."""
        users = self.users(node)
        return users[0] if len(users) == 1 else None

    def replace(self, old, new):
        """Puts `new` in the place of `old` wherever that is used."""
        for node in self.nodes():
            if node is not new:
                node.inputs = [new if part is old else part for part in node.inputs]
        self.outputs = [new if output is old else output for output in self.outputs]

    def to_model(self, dtype=DTYPE):
        """Builds the graph as a functional Keras model with weights of its own.

        Args:
            dtype: Data type of weights, layers and of an input that is a float.
        """
        for node in self.nodes():
            if _misplaces_bias(node):
                self._split_bias(node)
        values, names = {}, set()
        for node in self.nodes():
            name, number = node.name, 0
            while name in names:
                number += 1
                name = f"{node.name}_{number}"
            names.add(name)
            inputs = [values[part] for part in node.inputs]
            try:
                values[node] = _apply(node, name, inputs, dtype)
            except Exception as error:  # whatever a layer raises
                raise refusal(node, f"it cannot be rebuilt ({first_line(error)})") from error
            shape = getattr(values[node], "shape", node.shape)
            if tuple(shape) != node.shape:
                raise refusal(node, f"rebuilt, it outputs {tuple(shape)} instead of {node.shape}")
        outputs = [values[output] for output in self.outputs]
        outputs = keras.tree.pack_sequence_as(self.structure, outputs)
        return keras.Model(values[self.input], outputs, name=self.name)

    def _split_bias(self, node):
        """Has a batch norm add a convolution's bias."""
        *node.weights, bias = node.weights
        node.config = {**node.config, "use_bias": False}
        config = {"axis": CHANNELS_FIRST, "scale": False, "epsilon": 0.0}
        weights = [bias, np.zeros_like(bias), np.ones_like(bias)]
        norm = keras.layers.BatchNormalization
        self.replace(node, Node(f"{node.name}_bias", norm, config, [node], node.shape, weights))


def _misplaces_bias(node):
    """Whether Keras may add a convolution's bias to the columns of its maps.

    On the TensorFlow backend `keras.ops.add` (3.15) takes the last axis for the bias', also of
    channels first, if it is as long; one that is open may be.
    """
    config = node.config
    is_convolution = "kernel_size" in config and "recurrent_activation" not in config
    return (
        is_convolution
        and config.get("data_format") == "channels_first"
        and bool(config.get("use_bias"))
        and node.shape[-1] in (None, node.shape[CHANNELS_FIRST])
    )


def _apply(node, name, inputs, dtype):
    """Makes a node's layer and calls it."""
    if node.kind is keras.layers.InputLayer:
        given = node.config["dtype"]
        dtype = dtype if keras.backend.is_float_dtype(given) else given
        return keras.Input(batch_shape=node.shape, dtype=dtype, name=name)
    if node.kind is Pick:
        return keras.tree.flatten(inputs[0])[node.config["index"]]
    config = {**node.config, "name": name}
    if issubclass(node.kind, keras.layers.Layer):
        config = _in_dtype({"dtype": dtype, **config}, dtype)
    layer = node.kind.from_config(config)
    if node.arguments is None:
        output = layer(inputs[0] if len(inputs) == 1 else inputs)
    else:
        args, options = keras.tree.map_structure(
            lambda value: inputs[value.index] if isinstance(value, Slot) else value, node.arguments
        )
        output = layer(*args, **options)
    if node.weights:
        set_weights(layer, node.weights)
    return output


def _in_dtype(value, dtype):
    """A configuration with another data type, also for the layers within a layer."""
    if not isinstance(value, dict):
        return value
    return {
        key: dtype if key == "dtype" and _is_float(part) else _in_dtype(part, dtype)
        for key, part in value.items()
    }


def _is_float(policy):
    return keras.backend.is_float_dtype(keras.dtype_policies.get(policy).compute_dtype)


def is_concatenation(node, axis):
    """Whether a node joins its inputs along an axis, counted from the front."""
    return node.kind is keras.layers.Concatenate and node.axis(node.config["axis"]) == axis


def is_convolution(node):
    """Whether a node is a convolution of all channels, channels last."""
    return (
        node.kind is keras.layers.Conv2D
        and node.config["groups"] == 1
        and node.config["data_format"] == "channels_last"
    )


def is_pointwise(node):
    """Whether a node is a 1x1 convolution, at any stride."""
    return is_convolution(node) and set(node.config["kernel_size"]) == {1}
