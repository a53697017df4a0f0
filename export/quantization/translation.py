"""Keras 3 layers as tf_keras layers: what the two call or compute differently."""

import keras
import tensorflow as tf
import tf_keras

from keras_ghostnet.layers import GroupedConv2D

# Layers whose arguments, weights and results are the same in both, but for what follows below.
# fmt: off
SAME = frozenset((
    "Activation", "Add", "Average", "AveragePooling1D", "AveragePooling2D", "AveragePooling3D",
    "BatchNormalization", "Concatenate", "Conv1D", "Conv1DTranspose", "Conv2D", "Conv2DTranspose",
    "Conv3D", "Conv3DTranspose", "Cropping1D", "Cropping2D", "Cropping3D", "Dense",
    "DepthwiseConv1D", "DepthwiseConv2D", "Dropout", "ELU", "Embedding", "Flatten",
    "GaussianDropout", "GaussianNoise", "GlobalAveragePooling1D", "GlobalAveragePooling2D",
    "GlobalAveragePooling3D", "GlobalMaxPooling1D", "GlobalMaxPooling2D", "GlobalMaxPooling3D",
    "GroupNormalization", "Identity", "LayerNormalization", "LeakyReLU", "MaxPooling1D",
    "MaxPooling2D", "MaxPooling3D", "Maximum", "Minimum", "Multiply", "Normalization", "PReLU",
    "Permute", "ReLU", "RepeatVector", "Rescaling", "Reshape", "SeparableConv1D",
    "SeparableConv2D", "Softmax", "SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D",
    "Subtract", "UnitNormalization", "UpSampling1D", "UpSampling2D", "UpSampling3D",
    "ZeroPadding1D", "ZeroPadding2D", "ZeroPadding3D",
))
# fmt: on
RENAMED = {"LeakyReLU": {"negative_slope": "alpha"}}
# Arguments that tf_keras lacks, with the value at which they say nothing.
NEW = {
    "lora_alpha": None,
    "lora_rank": None,
    "quantization_config": None,
    "renorm": False,
    "rms_scaling": False,
}
# What matters only where weights are made, or with another argument of `NEW`.
LEFT_OUT = ("_initializer", "_regularizer", "_constraint", "renorm_clipping", "renorm_momentum")
SEEDED = ("GaussianDropout", "GaussianNoise", "SpatialDropout")


class UnknownLayerError(ValueError):
    """A layer or operation has no equal in tf_keras."""


def refusal(layer, reason):
    """The error for a layer or operation that cannot be translated."""
    return UnknownLayerError(
        f"{type(layer).__name__} {layer.name!r} has no equal in tf_keras: {reason}. Replace it by "
        "stock Keras layers, or take the model apart with keras_ghostnet.export.graph.deploy."
    )


@tf_keras.utils.register_keras_serializable("keras_ghostnet")
def hard_sigmoid(x):
    """Keras 3's: relu6(x + 3) / 6. That of tf_keras is clip(0.2 x + 0.5, 0, 1)."""
    return tf.nn.relu6(x + 3.0) * (1 / 6)


@tf_keras.utils.register_keras_serializable("keras_ghostnet")
def hard_silu(x):
    """x relu6(x + 3) / 6, also called hard swish."""
    return x * tf.nn.relu6(x + 3.0) * (1 / 6)


@tf_keras.utils.register_keras_serializable("keras_ghostnet")
def relu6(x):
    """min(max(x, 0), 6)."""
    return tf.nn.relu6(x)


@tf_keras.utils.register_keras_serializable("keras_ghostnet")
def leaky_relu(x):
    """x, or 0.2 x below 0: the slope of `keras.activations.leaky_relu`."""
    return tf.nn.leaky_relu(x, 0.2)


@tf_keras.utils.register_keras_serializable("keras_ghostnet")
def log_softmax(x):
    """Logarithms of the softmax over the last axis."""
    return tf.nn.log_softmax(x)


# By their names in Keras 3.
ACTIVATIONS = {
    **{
        name: getattr(tf_keras.activations, name)
        for name in (
            "elu", "exponential", "gelu", "linear", "mish", "relu", "selu", "sigmoid", "softmax",
            "softplus", "softsign", "tanh",
        )
    },
    "hard_sigmoid": hard_sigmoid,
    "hard_silu": hard_silu,
    "leaky_relu": leaky_relu,
    "log_softmax": log_softmax,
    "relu6": relu6,
    "silu": tf_keras.activations.swish,
}  # fmt: skip


def check(layer):
    """Raises `UnknownLayerError` if tf_keras has no such layer, or not its activation."""
    kind = type(layer).__name__
    stock = getattr(keras.layers, kind, None) is type(layer)
    if not isinstance(layer, (GroupedConv2D, keras.layers.InputLayer)) and not (
        stock and kind in SAME
    ):
        raise refusal(layer, "it is none of the layers that both have")
    if hasattr(layer, "activation"):
        _activation(layer)


def translate(layer):
    """The tf_keras layer that computes the same.

    Initializers, regularizers and constraints stay behind: weights are copied, not made.

    Args:
        layer: A Keras 3 layer.

    Returns:
        A tf_keras layer of the same name, without weights yet.

    Raises:
        UnknownLayerError: A `ValueError`, if there is none.
    """
    check(layer)
    kind = "Conv2D" if isinstance(layer, GroupedConv2D) else type(layer).__name__
    config = {
        name: value for name, value in layer.get_config().items() if not name.endswith(LEFT_OUT)
    }
    for name, nothing in NEW.items():
        if config.pop(name, nothing) != nothing:
            raise refusal(layer, f"tf_keras has no argument {name!r}")
    if kind.startswith(SEEDED):
        config.pop("seed", None)
    for old, new in RENAMED.get(kind, {}).items():
        config[new] = config.pop(old)
    if "activation" in config:
        config["activation"] = _activation(layer)
    config["dtype"] = _dtype(layer)
    try:
        return getattr(tf_keras.layers, kind)(**config)
    except TypeError as error:  # an argument of a newer Keras
        raise refusal(layer, str(error)) from error


def _activation(layer):
    name = keras.activations.serialize(layer.activation)
    if not isinstance(name, str) or name not in ACTIVATIONS:
        name = name if isinstance(name, str) else getattr(layer.activation, "__name__", "unknown")
        raise refusal(layer, f"its activation is {name!r}")
    return ACTIVATIONS[name]


def _dtype(layer):
    """A policy by its name: tf_keras knows no dictionaries of them."""
    if type(layer.dtype_policy) is not keras.DTypePolicy:
        raise refusal(layer, f"its data type is {layer.dtype_policy.name}")
    return layer.dtype_policy.name
