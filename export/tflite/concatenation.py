"""Concatenations of a width that delegates take."""

import keras

MOST = 5  # inputs of a concatenation that XNNPACK runs


def narrow_concatenations(model):
    """A model that concatenates the same, at most five tensors at a time.

    Args:
        model: A functional model; its layers are shared with the result.
    """
    layers = [layer for layer in model.layers if isinstance(layer, keras.layers.Concatenate)]
    if not any(len(layer.input) > MOST for layer in layers):
        return model
    return keras.models.clone_model(model, clone_function=lambda layer: layer, call_function=_call)


def _call(layer, *args, **kwargs):
    if not isinstance(layer, keras.layers.Concatenate) or len(args[0]) <= MOST:
        return layer(*args, **kwargs)
    tensors = list(args[0])
    while len(tensors) > MOST:
        first = keras.layers.Concatenate(layer.axis)(tensors[:MOST])
        tensors = [first, *tensors[MOST:]]
    return keras.layers.Concatenate(layer.axis)(tensors)
