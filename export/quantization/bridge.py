"""From Keras 3 to tf_keras, the only Keras that TFMOT knows."""

from typing import TYPE_CHECKING

import keras

from keras_ghostnet.export.graph.operations import stock_layers
from keras_ghostnet.export.quantization.dependencies import require_tfmot
from keras_ghostnet.quiet import quiet

if TYPE_CHECKING:
    import tf_keras


def to_tf_keras(model: keras.Model) -> "tf_keras.Model":
    """The equal tf_keras model: the same layers, names and weights, for tools that need it.

    The graph is rebuilt call by call, with shared layers, nested models and several inputs and
    outputs as they are. Operations in it (`x + y`, `keras.ops.relu(x)`) become layers. Nothing
    is compiled, and `TF_USE_LEGACY_KERAS` is not needed.

    Args:
        model: A functional or sequential Keras 3 model of stock layers, on the TensorFlow
            backend; it is left as it is. A model of this package's layers is taken apart first,
            with `keras_ghostnet.export.graph.deploy(model)`.

    Returns:
        A functional `tf_keras.Model` with weights of its own. Its outputs are the model's within
        float32's rounding, in training too; initializers, regularizers and constraints are not
        carried over.

    Raises:
        ImportError: If tf_keras is missing.
        ValueError: If a layer or operation has no equal in tf_keras; the message names it.
    """
    require_tfmot()
    if not getattr(model, "inputs", None):
        raise ValueError(
            f"{model.name} has no graph of layers: build it with the functional API "
            "(`keras.Model(inputs, outputs)`), or call it once if it is Sequential."
        )
    with quiet(unless=()):
        return _Bridge().model(model)


def copy_weights(source, model):
    """Copies the weights of a tf_keras model back.

    Args:
        source: A tf_keras model with the layers of `model`, by their names.
        model: The Keras 3 model that `to_tf_keras` was given; changed in place.
    """
    for layer in model.layers:
        if layer.weights:
            layer.set_weights(source.get_layer(layer.name).get_weights())


class _Bridge:
    """Walks through a Keras model and repeats every call in tf_keras."""

    def __init__(self):
        self.layers = {}  # id of a Keras layer -> the tf_keras layer
        self.originals = {}  # id of a copied layer -> the layer whose weights count
        self.tensors = {}  # id of a Keras tensor -> the tf_keras tensor
        self.kept = []  # keeps the copies and tensors alive, so that their ids stay theirs
        self.names = set()

    def model(self, model):
        import tf_keras

        # Calls leave traces in the layers that are called: those of a copy.
        copy = keras.models.clone_model(
            keras.Model(model.inputs, model.outputs), clone_function=self._copy
        )
        self.names.update(layer.name for layer in model.layers)
        for tensor, original in zip(copy.inputs, model.inputs, strict=True):
            self._know(
                tensor,
                tf_keras.Input(
                    batch_shape=tensor.shape, dtype=tensor.dtype, name=original.name.split(":")[0]
                ),
            )
        walked = keras.models.clone_model(
            copy,
            input_tensors=copy.inputs,
            clone_function=lambda layer: layer,
            call_function=self._call,
        )
        inputs, outputs = (
            keras.tree.pack_sequence_as(structure, [self.tensors[id(tensor)] for tensor in tensors])
            for structure, tensors in zip(
                _structures(model), (copy.inputs, walked.outputs), strict=True
            )
        )
        return tf_keras.Model(inputs, outputs, name=model.name)

    def _copy(self, layer):
        from keras_ghostnet.export.quantization import translation

        if isinstance(layer, keras.Model):
            copy = keras.models.clone_model(layer)
        else:
            if isinstance(layer, keras.layers.Layer):
                translation.check(layer)
            copy = type(layer).from_config(layer.get_config())
        self.kept.append(copy)
        self.originals[id(copy)] = layer
        return copy

    def _know(self, tensor, value):
        self.tensors[id(tensor)] = value
        self.kept.append(tensor)

    def _call(self, layer, *args, **options):
        outputs = layer(*args, **options)
        results = [x for x in keras.tree.flatten(outputs) if keras.utils.is_keras_tensor(x)]
        if isinstance(layer, keras.layers.Layer):
            values = self._layer(self.originals[id(layer)], args, options)
        else:
            values = self._operation(layer, args, options, results)
        for tensor, value in zip(results, values, strict=True):
            self._know(tensor, value)
        return outputs

    def _layer(self, layer, args, options):
        """The values of a layer's outputs; the layer itself is made at its first call."""
        import tf_keras

        from keras_ghostnet.export.quantization import translation

        options = {key: value for key, value in options.items() if value is not None}
        args, options = keras.tree.map_structure(self._value, (args, options))
        if id(layer) in self.layers:
            return keras.tree.flatten(self.layers[id(layer)](*args, **options))
        nested = isinstance(layer, keras.Model)
        new = _Bridge().model(layer) if nested else translation.translate(layer)
        self.layers[id(layer)] = new
        values = keras.tree.flatten(new(*args, **options))
        if not nested:
            new.set_weights(layer.get_weights())
        if isinstance(new, tf_keras.layers.Normalization):
            new.finalize_state()  # it computes with copies of its weights
        return values

    def _operation(self, operation, args, options, results):
        from keras_ghostnet.export.quantization import translation

        layers = None if options else stock_layers(operation, args, results)
        if type(operation).__name__ == "ConvertToTensor" and args[0].dtype == results[0].dtype:
            layers = [None]  # as calling a model within a model leaves it
        if layers is None:
            raise translation.refusal(operation, "no stock layer computes this operation")
        inputs = [
            self._value(x) for x in keras.tree.flatten(args) if keras.utils.is_keras_tensor(x)
        ]
        values = []
        for layer in layers:
            if layer is None:
                values.append(inputs[0])
                continue
            kind, config = layer
            new = translation.translate(kind(**config, name=self._name(operation.name)))
            values.append(new(inputs if len(inputs) > 1 else inputs[0]))
        return values

    def _value(self, value):
        return self.tensors[id(value)] if keras.utils.is_keras_tensor(value) else value

    def _name(self, wanted):
        name, number = wanted, 0
        while name in self.names:
            number += 1
            name = f"{wanted}_{number}"
        self.names.add(name)
        return name


def _structures(model):
    """How a model takes its inputs and gives its outputs: single, in a list, by names."""
    if isinstance(model, keras.Sequential):
        return model.inputs[0], model.outputs[0]
    return model.input, model.output
