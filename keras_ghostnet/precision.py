"""Models in float32, whatever precision they were trained in."""

from __future__ import annotations

from typing import Any

import keras

from keras_ghostnet.copying import set_weights

REDUCED = ("float16", "bfloat16")  # types that are computed with


def in_float32(model: keras.Model) -> keras.Model:
    """A model that computes in float32 with the weights of one of less precision.

    It is what a mixed-precision model's exports are made of and compared with: there the rounding
    of 16 bits is no part of the function.

    Args:
        model: A functional or sequential Keras model. It is left as it is.

    Returns:
        A new model of the same names, uncompiled; the given one if no layer of it computes in, or
        keeps, 16 bits, or if it has no graph of layers.
    """
    if not getattr(model, "inputs", None) or not any(map(_is_reduced, _layers(model))):
        return model
    is_sequential = isinstance(model, keras.Sequential)
    given, outputs = (
        (model.inputs[0], model.outputs[0]) if is_sequential else (model.input, model.output)
    )
    plain = keras.Model(given, outputs, name=model.name)  # without its loss and optimizer
    inputs = keras.tree.map_structure(_input, given)
    copy = keras.models.clone_model(plain, inputs, clone_function=_copy)
    set_weights(copy, [weight.astype("float32") if _is_reduced_type(weight.dtype.name) else weight
                      for weight in model.get_weights()])  # fmt: skip
    return copy


def _layers(model):
    """The layers in a model, at any depth, its inputs among them."""
    return model._flatten_layers(include_self=False)


def _is_reduced(layer):
    return any(map(_is_reduced_type, (layer.compute_dtype, layer.variable_dtype)))


def _is_reduced_type(name):
    return name in REDUCED


def _input(tensor):
    dtype = "float32" if _is_reduced_type(tensor.dtype) else tensor.dtype
    return keras.Input(batch_shape=tensor.shape, dtype=dtype, name=tensor.name)


def _copy(layer):
    """A layer, operation or nested model that computes in float32."""
    if isinstance(layer, keras.Model):
        nested = in_float32(layer)
        return nested if nested is not layer else type(layer).from_config(layer.get_config())
    return type(layer).from_config(_with_float32(layer.get_config()))


def _with_float32(value: Any) -> Any:
    """A configuration in which every policy and type of 16 bits is float32."""
    if isinstance(value, dict):
        return {
            key: "float32" if key == "dtype" and _is_reduced_policy(part) else _with_float32(part)
            for key, part in value.items()
        }
    if isinstance(value, list | tuple):
        return type(value)(map(_with_float32, value))
    return value


def _is_reduced_policy(policy):
    return policy is not None and _is_reduced_type(keras.dtype_policies.get(policy).compute_dtype)
