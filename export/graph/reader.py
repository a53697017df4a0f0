"""Runs layers on symbolic tensors and keeps what they do as nodes of a graph."""

import inspect
import re

import keras

from keras_ghostnet.export.graph import operations
from keras_ghostnet.export.graph.nodes import Node, Pick, Slot
from keras_ghostnet.export.graph.refusals import NotDeployableError, first_line, refusal
from keras_ghostnet.export.graph.tracing import NearestResizing
from keras_ghostnet.layers import BatchNormalization, GroupedConv2D
from keras_ghostnet.layers.convolution import ChannelsFirstConv2D, ChannelsFirstDepthwiseConv2D
from keras_ghostnet.symbolic import symbolic_activations

# Layers of this package that are a stock layer with the same arguments and weights.
SAME = {
    GroupedConv2D: keras.layers.Conv2D,
    ChannelsFirstConv2D: keras.layers.Conv2D,
    ChannelsFirstDepthwiseConv2D: keras.layers.DepthwiseConv2D,
    BatchNormalization: keras.layers.BatchNormalization,
    NearestResizing: keras.layers.UpSampling2D,
}
# A class may be published under another name than its own.
STOCK = {kind for kind in vars(keras.layers).values() if isinstance(kind, type)}
# Layers of Keras that run what is not Keras, or look up in tables of TensorFlow.
OPAQUE = (
    "FlaxLayer",
    "IntegerLookup",
    "JaxLayer",
    "Lambda",
    "StringLookup",
    "TFSMLayer",
    "TextVectorization",
    "TorchModuleWrapper",
)
# Layers of Keras that are a chain of layers.
COMPOSITE = ("Pipeline",)
# Layers that apply the activation that they are given after all else.
ACTIVATED = tuple(
    getattr(keras.layers, name)
    for name in (
        *(f"Conv{n}D{kind}" for n in (1, 2, 3) for kind in ("", "Transpose")),
        *(f"{kind}Conv{n}D" for n in (1, 2) for kind in ("Depthwise", "Separable")),
        "Dense",
        "EinsumDense",
    )
)
# Ends of the names of arguments that matter in training alone, and what stands for them.
TRAINING_ARGUMENTS = {"_initializer": "zeros", "_regularizer": None, "_constraint": None}


class Reader:
    """The nodes of everything that was read."""

    def __init__(self):
        self.nodes = {}  # id of a Keras tensor -> its node
        self.tensors = []  # keeps them alive, so that their ids stay theirs
        self.seen = set()  # ids of the weights that nodes hold

    def know(self, tensor, node):
        """Says which node outputs a Keras tensor."""
        self.nodes[id(tensor)] = node
        self.tensors.append(tensor)

    def read(self, function, args, options, path):
        """Reads what a function does with Keras tensors.

        Args:
            function: The `call` of a layer, or an activation.
            args, options: Its arguments; the tensors in them are known.
            path: What the names of its nodes begin with.

        Returns:
            The nodes of its outputs.
        """
        inputs = []

        def fresh(value):
            if not keras.utils.is_keras_tensor(value):
                return value
            inputs.append(keras.Input(batch_shape=value.shape, dtype=value.dtype))
            self.know(inputs[-1], self.nodes[id(value)])
            return inputs[-1]

        args, options = keras.tree.map_structure(fresh, (args, options))
        # Names are unique within a layer, but not below it: so one layer is walked at a time.
        walked = keras.models.clone_model(
            keras.Model(inputs, function(*args, **options)),
            input_tensors=inputs,
            clone_function=lambda layer: layer,
            call_function=lambda layer, *args, **options: self._visit(path, layer, args, options),
        )
        return [self.nodes[id(output)] for output in walked.outputs]

    def _visit(self, path, layer, args, options):
        outputs = layer(*args, **options)
        results = [x for x in keras.tree.flatten(outputs) if keras.utils.is_keras_tensor(x)]
        # Masks and the like that are None, and what concerns training, say nothing here.
        options = {k: v for k, v in options.items() if k != "training" and v is not None}
        if not isinstance(layer, keras.layers.Layer):
            nodes = self._operation(path, layer, args, options, results)
        elif type(layer) is keras.layers.Activation:
            nodes = [self._activation(path + layer.name, layer.activation, args[0])]
        elif type(layer) in SAME or _is_stock(layer):
            nodes = self._stock(path, layer, args, options, results)
        else:
            nodes = self._composite(path, layer, args, options)
        for tensor, node in zip(results, nodes, strict=True):
            self.know(tensor, node)
        return outputs

    def _operation(self, path, operation, args, options, results):
        layers = None if options else operations.stock_layers(operation, args, results)
        if layers is None:
            # An operation of Keras' own needs nothing but Keras either.
            config = {key: value for key, value in operation.get_config().items() if key != "name"}
            name = path + _snake_case(type(operation).__name__)
            return self._call(name, type(operation), config, args, options, results)
        inputs = [self.nodes[id(x)] for x in keras.tree.flatten(args) if id(x) in self.nodes]
        return [
            Node(path + _label(*layer), *layer, list(inputs), tuple(tensor.shape))
            if layer
            else inputs[0]
            for layer, tensor in zip(layers, results, strict=True)
        ]

    def _activation(self, name, function, tensor):
        """The node of an activation; of a linear one, that of its input."""
        before = self.nodes[id(tensor)]
        known = keras.activations.serialize(function)
        if known == "linear":
            return before
        if isinstance(known, str) and keras.activations.get(known) is function:
            return Node(name, *operations.activation(known), [before], tuple(tensor.shape))
        (node,) = self.read(function, (tensor,), {}, f"{name}_")
        return node

    def _stock(self, path, layer, args, options, results):
        if getattr(layer, "quantization_mode", None):
            raise refusal(layer, "it is quantized already")
        activated = isinstance(layer, ACTIVATED)
        config = _inference_config(layer)
        if activated:
            config["activation"] = "linear"
        if argument := _foreign(config):
            raise refusal(layer, f"its argument `{argument}` is not one of Keras' own")
        name, kind = path + layer.name, SAME.get(type(layer), type(layer))
        nodes = self._call(name, kind, config, args, options, results, layer.get_weights())
        self.seen.update(map(id, layer.weights))
        if not activated:
            return nodes
        self.know(results[0], nodes[0])
        suffix = getattr(layer.activation, "__name__", "activation")
        return [self._activation(f"{name}_{suffix}", layer.activation, results[0])]

    def _call(self, name, kind, config, args, options, results, weights=()):
        """The node of a call; if it has several outputs, a node for each of them."""
        inputs = []

        def slot(value):
            if not keras.utils.is_keras_tensor(value):
                return value
            inputs.append(self.nodes[id(value)])
            return Slot(len(inputs) - 1)

        arguments = keras.tree.map_structure(slot, (args, options))
        shapes = [tuple(tensor.shape) for tensor in results]
        node = Node(name, kind, config, inputs, shapes[0], list(weights), arguments)
        if len(results) == 1:
            return [node]
        return [
            Node(f"{name}_{index}", Pick, {"index": index}, [node], shape)
            for index, shape in enumerate(shapes)
        ]

    def _composite(self, path, layer, args, options):
        if "training" in inspect.signature(layer.call).parameters:
            options = {**options, "training": False}
        try:
            with symbolic_activations(layer):
                nodes = self.read(layer.call, args, options, f"{path}{layer.name}_")
        except NotDeployableError:
            raise
        except Exception as error:  # whatever a layer of the user's raises
            raise refusal(
                layer, f"its call failed on symbolic tensors ({first_line(error)})"
            ) from error
        own = [weight.path for weight in layer.weights if id(weight) not in self.seen]
        if own:
            raise refusal(layer, f"it has weights outside of stock layers: {', '.join(own[:3])}")
        return nodes


def _is_stock(layer):
    kind = type(layer)
    return kind in STOCK and kind.__name__ not in (*OPAQUE, *COMPOSITE)


def _inference_config(layer):
    """A layer's arguments without its name and what concerns training."""
    config = {key: value for key, value in layer.get_config().items() if key != "name"}
    for key in config:
        for end, value in TRAINING_ARGUMENTS.items():
            if key.endswith(end):
                config[key] = value
    if isinstance(layer, keras.layers.BatchNormalization):
        config["synchronized"] = False
    return config


def _foreign(value, path=""):
    """The place in a serialized configuration of what is not of Keras; None if there is none."""
    if isinstance(value, dict):
        module = value.get("module") or "keras"
        if value.get("class_name") and module.split(".")[0] != "keras":
            return path
        parts = value.items()
    elif isinstance(value, (list, tuple)):
        parts = enumerate(value)
    else:
        return None
    found = (_foreign(part, f"{path}.{key}" if path else str(key)) for key, part in parts)
    return next(filter(None, found), None)


def _label(kind, config):
    """A short name for a layer that stands for an operation."""
    if kind is keras.layers.ReLU:
        return "relu"
    return config.get("activation") or _snake_case(kind.__name__)


def _snake_case(name):
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
