"""Deployment models as exporters trace them."""

import keras

from keras_ghostnet.layers import GroupedConv2D


def for_tracing(model: keras.Model) -> keras.Model:
    """A model whose grouped convolutions can be traced into every format.

    On the TensorFlow backend Keras' own grouped `Conv2D` is a function compiled by XLA: slow on
    a CPU, and nothing that ONNX, TFLite or an interpreter knows. A saved deployment model has it
    nevertheless, for it must load without this package. So an exporter, or whoever runs such a
    model on a CPU, takes `for_tracing(model)`: the same layers, names and weights, with
    `keras_ghostnet.layers.GroupedConv2D`, one plain op, instead of grouped `Conv2D`.

    Args:
        model: A functional model of stock layers, as `deploy` makes it.

    Returns:
        A new model; the given one if it has no grouped convolution.
    """
    if not any(map(_is_grouped, model.layers)):
        return model
    copy = keras.models.clone_model(model, clone_function=_traceable)
    copy.set_weights(model.get_weights())
    return copy


def _is_grouped(layer):
    return type(layer) is keras.layers.Conv2D and layer.groups > 1


def _traceable(layer):
    kind = GroupedConv2D if _is_grouped(layer) else type(layer)
    return kind.from_config(layer.get_config())
