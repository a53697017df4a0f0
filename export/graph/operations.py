"""Keras operations without weights, such as `keras.ops.add`, as stock layers."""

import numbers

import keras

MERGES = {
    "Add": keras.layers.Add,
    "Maximum": keras.layers.Maximum,
    "Minimum": keras.layers.Minimum,
    "Multiply": keras.layers.Multiply,
    "Subtract": keras.layers.Subtract,
}
# Keras does not export the classes of its operations: they are identified by their names.
ACTIVATIONS = {
    "HardSigmoid": "hard_sigmoid",
    "HardSilu": "hard_silu",
    "Relu": "relu",
    "Relu6": "relu6",
    "Sigmoid": "sigmoid",
    "Silu": "silu",
    "Softplus": "softplus",
    "Softsign": "softsign",
    "Tanh": "tanh",
}
# A name of `keras.activations` that is a layer of its own.
ACTIVATION_LAYERS = {
    "relu": (keras.layers.ReLU, {}),
    "relu6": (keras.layers.ReLU, {"max_value": 6.0}),
}


def activation(name):
    """Class and arguments of the stock layer of an activation of `keras.activations`."""
    return ACTIVATION_LAYERS.get(name, (keras.layers.Activation, {"activation": name}))


def stock_layers(operation, args, outputs):
    """The stock layers that compute the same as an operation.

    Args:
        operation: A `keras.Operation` that is not a layer.
        args: What it was called with, by position.
        outputs: List of the Keras tensors it outputs.

    Returns:
        A list of (class, arguments), one for every output, each to be called with all tensors
        in `args`; `[None]` if the output is the input. None where no stock layer does the same.
    """
    kind = type(operation).__name__
    if kind in ACTIVATIONS:
        return [activation(ACTIVATIONS[kind])]
    if kind in (*MERGES, "Divide", "TrueDivide"):
        return _arithmetic(kind, *args)
    rule = RULES.get(kind)
    return rule and rule(operation, args, outputs)


def _arithmetic(kind, a, b):
    tensors = [x for x in (a, b) if keras.utils.is_keras_tensor(x)]
    if len(tensors) == 2:
        # Layers want equal ranks, and shapes that differ in sizes of 1 alone.
        same = len(a.shape) == len(b.shape) and a.dtype == b.dtype
        return [(MERGES[kind], {})] if same and kind in MERGES else None
    number = b if tensors[0] is a else a
    if not isinstance(number, numbers.Real) or not keras.backend.is_float_dtype(tensors[0].dtype):
        return None
    affine = {  # factor and offset
        "Add": (1.0, number),
        "Multiply": (number, 0.0),
        "Subtract": (1.0, -number) if number is b else (-1.0, number),
        "Divide": (1 / number, 0.0) if number is b and number else None,
    }.get(kind.removeprefix("True"))
    return affine and [rescaling(*affine)]


def rescaling(scale, offset=0.0):
    """Class and arguments of the layer that computes `scale * x + offset`."""
    return keras.layers.Rescaling, {"scale": float(scale), "offset": float(offset)}


def _relu(operation, args, outputs):
    names = ("negative_slope", "max_value", "threshold")
    return [(keras.layers.ReLU, {name: getattr(operation, name) for name in names})]


def _softmax(operation, args, outputs):
    return [(keras.layers.Softmax, {"axis": operation.axis})]


def _clip(operation, args, outputs):
    if operation.x_min != 0 or not isinstance(operation.x_max, numbers.Real):
        return None
    return [(keras.layers.ReLU, {"max_value": float(operation.x_max)})]


def _concatenate(operation, args, outputs):
    return [(keras.layers.Concatenate, {"axis": operation.axis})]


def _cast(operation, args, outputs):
    """Between floats there is nothing to do: the graph has one type of float."""
    both = (args[0].dtype, outputs[0].dtype)
    return [None] if all(map(keras.backend.is_float_dtype, both)) else None


def _mean(operation, args, outputs):
    axes = operation.axis if isinstance(operation.axis, (tuple, list)) else (operation.axis,)
    rank = len(args[0].shape)
    if rank != 4 or None in axes:
        return None
    formats = {(1, 2): "channels_last", (2, 3): "channels_first"}
    data_format = formats.get(tuple(sorted(axis % rank for axis in axes)))
    options = {"data_format": data_format, "keepdims": operation.keepdims}
    return data_format and [(keras.layers.GlobalAveragePooling2D, options)]


def _reshape(operation, args, outputs):
    batch, *shape = outputs[0].shape
    if batch is not None or args[0].shape[0] is not None or None in shape:
        return None
    return [(keras.layers.Reshape, {"target_shape": tuple(shape)})]


def _split(operation, args, outputs):
    (maps,) = args
    axis, start, layers = operation.axis % len(maps.shape), 0, []
    for part in outputs:
        layers.append(crop(maps.shape, axis, start, start + part.shape[axis]))
        start += part.shape[axis]
    return None if None in layers else layers


def _item(operation, args, outputs):
    maps, key = args
    key = list(key) if isinstance(key, tuple) else [key]
    if Ellipsis in key:
        place = key.index(Ellipsis)
        key[place : place + 1] = [slice(None)] * (len(maps.shape) - len(key) + 1)
    cut = [axis for axis, part in enumerate(key) if part != slice(None)]
    if len(cut) != 1 or not isinstance(key[cut[0]], slice) or maps.shape[cut[0]] is None:
        return None
    (axis,) = cut
    start, stop, step = key[axis].indices(maps.shape[axis])
    layer = crop(maps.shape, axis, start, stop)
    return [layer] if layer and step == 1 else None


def crop(shape, axis, start, stop):
    """Maps `(batch, ...)` of rank 4 from `start` to `stop` along an axis.

    No stock layer takes a part of the channels, but `Cropping2D` does if it is given the other
    data format: it then takes them for a row or a column of the maps.
    """
    if len(shape) != 4 or axis == 0:
        return None
    cropping = [(0, 0)] * 3
    cropping[axis - 1] = (start, shape[axis] - stop)
    data_format, cropping = (
        ("channels_last", cropping[:2]) if axis == 1 else ("channels_first", cropping[1:])
    )
    return keras.layers.Cropping2D, {"cropping": tuple(cropping), "data_format": data_format}


RULES = {
    "Cast": _cast,
    "Clip": _clip,
    "Concatenate": _concatenate,
    "ConvertToTensor": _cast,
    "GetItem": _item,
    "Mean": _mean,
    "ReLU": _relu,
    "Reshape": _reshape,
    "Softmax": _softmax,
    "Split": _split,
}
