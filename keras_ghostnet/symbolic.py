"""Layers on symbolic tensors, as the networks are counted and deployed."""

import contextlib
import functools
import inspect
from collections.abc import Iterator

import keras


@contextlib.contextmanager
def symbolic_activations(layer: keras.layers.Layer) -> Iterator[None]:
    """Has all activations of a layer take symbolic tensors in the body.

    Some of Keras' functions, as `hard_silu`, take arrays alone.

    Args:
        layer: Any layer; activations are attributes that are functions of `keras.activations`.
    """
    functions = {
        name: value
        for name, value in vars(layer).items()
        if inspect.isfunction(value)
        and value is getattr(keras.activations, value.__name__, None)
        and not _takes_symbols(value)
    }
    try:
        for name, function in functions.items():
            # A method, which the layer does not take for a layer of its own.
            activation = keras.layers.Activation(function, dtype=layer.dtype_policy)
            setattr(layer, name, activation.__call__)
        yield
    finally:
        for name, function in functions.items():
            setattr(layer, name, function)


@functools.cache
def _takes_symbols(function):
    try:
        function(keras.KerasTensor((1, 2)))
    except (TypeError, ValueError):
        return False
    return True
