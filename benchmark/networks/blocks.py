"""What the networks are made of: convolution, batch norm and activation, gate, classifier.

Each function takes a tensor, puts stock layers on it that bear its `name` (`NAME_conv`,
`NAME_bn`, `NAME_act`), and returns the result. Epsilon, momentum, padding and initialization are
those of `keras_ghostnet.layers.convolution`.
"""

import keras

from keras_ghostnet import builder
from keras_ghostnet.layers.convolution import (
    batch_norm,
    channel_axis,
    convolution,
    kernel_initializer,
)


def channels(x):
    """The number of channels of a batch of maps."""
    return x.shape[channel_axis(keras.config.image_data_format())]


def conv(x, filters, kernel, strides=1, *, name, **options):
    """Convolution alone, by default without a bias.

    Args:
        x: A Keras tensor, a batch of maps.
        filters: Output channels; None makes a depthwise convolution.
        kernel: An integer, odd under symmetric padding.
        strides: An integer.
        name: What the layers' names begin with.
        **options: `groups`, an integer that divides input and output channels; `padding`:
            `"symmetric"`, as PyTorch pads, Keras' own `"same"`, as TensorFlow does, or `"valid"`;
            and `use_bias`.
    """
    for layer in convolution(
        filters, kernel, f"{name}_conv", strides=strides, **options, **_options()
    ):
        x = layer(x)
    return x


def conv_bn(x, filters, kernel, strides=1, activation="relu", *, name, **options):
    """Convolution, batch norm and activation: `conv`, then as `activate`."""
    x = norm(conv(x, filters, kernel, strides, name=name, **options), name=name)
    return activate(x, activation, f"{name}_act")


def norm(x, *, name):
    """Batch norm alone."""
    return batch_norm(f"{name}_bn", **_options())(x)


def depthwise_bn(x, kernel, strides=1, activation="relu", **options):
    """Depthwise convolution, batch norm and activation; as `conv_bn`."""
    return conv_bn(x, None, kernel, strides, activation, **options)


def pooled_stem(x, filters):
    """The 3x3 convolution and the 3x3 maximum of ShuffleNets, both of stride 2."""
    x = conv_bn(x, filters, 3, strides=2, name="stem")
    x = keras.layers.ZeroPadding2D(1, name="stem_pool_pad")(x)
    return keras.layers.MaxPooling2D(3, 2, name="stem_pool")(x)


def activate(x, activation, name):
    """An activation as a layer: `"relu"`, `"relu6"`, `"hard_swish"`, `"sigmoid"`, ... or None."""
    if activation is None:
        return x
    if activation in ("relu", "relu6"):
        return keras.layers.ReLU(6 if activation == "relu6" else None, name=name)(x)
    return keras.layers.Activation(activation, name=name)(x)


def squeeze_excite(x, hidden, gate="hard_sigmoid", activation="relu", use_bias=True, *, name):
    """Scales channels by a gate computed from the averages of all: two 1x1 convolutions.

    Args:
        x: A Keras tensor, a batch of maps.
        hidden: Channels between the convolutions.
        gate: Activation of the second, with values in [0, 1].
        activation: Activation of the first.
        use_bias: Whether both have a bias.
        name: What the layers' names begin with.
    """
    common = _options()

    def dense(filters, place):
        return keras.layers.Conv2D(
            filters,
            1,
            use_bias=use_bias,
            kernel_initializer=kernel_initializer(),
            name=f"{name}_{place}",
            **common,
        )

    gates = keras.layers.GlobalAveragePooling2D(keepdims=True, name=f"{name}_pool", **common)(x)
    gates = activate(dense(hidden, "reduce")(gates), activation, f"{name}_act")
    gates = activate(dense(channels(x), "expand")(gates), gate, f"{name}_gate")
    return keras.layers.Multiply(name=f"{name}_scale")([x, gates])


def classifier(features, size, name, *, hidden=None, activation="relu"):
    """A whole network: features, global average pooling, and the logits of 1000 classes.

    Args:
        features: A function that takes images, a Keras tensor, and returns a batch of maps.
        size: Side of the image in pixels.
        name: The model's name.
        hidden: Units of a dense layer in front of the logits, or None.
        activation: That of the dense layer, as `activate`.

    Returns:
        A `keras.Model` of images `(batch, size, size, 3)` that outputs `(batch, 1000)`.
    """

    def dense(units, place):
        return keras.layers.Dense(units, kernel_initializer=kernel_initializer(), name=place)

    images = keras.Input(builder.square(3, size))
    x = keras.layers.GlobalAveragePooling2D(name="avg_pool")(features(images))
    if hidden is not None:
        x = activate(dense(hidden, "head")(x), activation, "head_act")
    return keras.Model(images, dense(1000, "predictions")(x), name=name)


def _options():
    return dict(data_format=keras.config.image_data_format(), dtype=keras.config.dtype_policy())
