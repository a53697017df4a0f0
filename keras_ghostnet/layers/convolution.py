"""Convolutions, batch norm and padding as every layer of the package uses them.

The numeric conventions stand here and nowhere else: batch norm's epsilon and momentum, the
kernels' initialization, and symmetric padding.
"""

import functools
from typing import Any

import keras

from keras_ghostnet.layers.normalization import PACKAGE, BatchNormalization
from keras_ghostnet.layers.types import Tensor

BN_EPSILON = 1e-5  # torch's default, which all public checkpoints were trained with
BN_MOMENTUM = 0.9  # Keras' sense: the fraction of the old average that is kept


@keras.saving.register_keras_serializable(package=PACKAGE)
class GroupedConv2D(keras.layers.Conv2D):
    """2D convolution whose groups run as one plain op on every backend.

    On the TensorFlow backend `keras.layers.Conv2D(groups > 1)` wraps the convolution in a
    function compiled by XLA, which is slow on a CPU and cannot be exported to ONNX or TFLite.
    This layer calls TensorFlow's convolution itself; everything else, the weights and the
    results included, is `keras.layers.Conv2D`.

    Args:
        filters: Output channels, a multiple of `groups`.
        kernel_size: An integer, or two for height and width.
        **kwargs: All arguments of `keras.layers.Conv2D`, `groups` among them.

    Input shape: `(batch, height, width, channels)`, or channels first if `data_format` says so.
    Output shape: as `keras.layers.Conv2D`.
    """

    def convolution_op(self, inputs: Tensor, kernel: Tensor) -> Tensor:
        if keras.backend.backend() != "tensorflow":
            return super().convolution_op(inputs, kernel)
        options = dict(
            strides=list(self.strides),
            padding=self.padding.upper(),
            data_format="NHWC" if self.data_format == "channels_last" else "NCHW",
            dilations=list(self.dilation_rate),
        )
        axis = channel_axis(self.data_format)
        return _tensorflow_convolution(inputs, kernel, self.groups, axis, options)


@keras.saving.register_keras_serializable(package=PACKAGE)
class ChannelsFirstConv2D(GroupedConv2D):
    """2D convolution of channels first whose bias is added to the channels always.

    On the TensorFlow backend Keras' own layers (3.15) add it to the columns of maps that are as
    wide as they have channels.

    Args:
        **kwargs: All arguments of `keras.layers.Conv2D`, with a bias.
    """

    def call(self, inputs: Tensor) -> Tensor:
        return _add_bias(self, self.convolution_op(inputs, self.kernel))


@keras.saving.register_keras_serializable(package=PACKAGE)
class ChannelsFirstDepthwiseConv2D(keras.layers.DepthwiseConv2D):
    """Depthwise convolution as `ChannelsFirstConv2D`.

    Args:
        **kwargs: All arguments of `keras.layers.DepthwiseConv2D`, with a bias.
    """

    def call(self, inputs: Tensor) -> Tensor:
        options = dict(
            strides=self.strides,
            padding=self.padding,
            dilation_rate=self.dilation_rate,
            data_format=self.data_format,
        )
        return _add_bias(self, keras.ops.depthwise_conv(inputs, self.kernel, **options))


def _add_bias(layer, maps):
    bias = keras.ops.reshape(layer.bias, (1, -1, 1, 1))
    # In this order Keras does not look for a bias, whose axis it would guess from the sizes.
    return layer.activation(keras.ops.add(bias, maps))


# The classes that compute what these should, with a bias and channels first.
BIASED: dict[type[keras.layers.Layer], type[keras.layers.Layer]] = {
    keras.layers.Conv2D: ChannelsFirstConv2D,
    keras.layers.DepthwiseConv2D: ChannelsFirstDepthwiseConv2D,
    GroupedConv2D: ChannelsFirstConv2D,
}


def _tensorflow_convolution(inputs, kernel, groups, axis, options):
    """TensorFlow's convolution as one op, with a gradient wherever it runs."""
    import tensorflow as tf  # loaded by the backend already

    def convolve(x, kernel):
        return tf.nn.convolution(x, kernel, **options)

    if groups == 1:
        return convolve(inputs, kernel)

    @tf.custom_gradient
    def convolve_with_gradient(x, kernel):
        def gradient(upstream):
            with tf.GradientTape() as tape:
                tape.watch([x, kernel])
                parts = zip(
                    tf.split(x, groups, axis), tf.split(kernel, groups, axis=-1), strict=True
                )
                y = tf.concat([convolve(*part) for part in parts], axis)
            return tape.gradient(y, [x, kernel], upstream)

        return convolve(x, kernel), gradient

    if _has_grouped_gradient(inputs.dtype.name):
        maps = convolve(inputs, kernel)
    else:
        maps = convolve_with_gradient(inputs, tf.convert_to_tensor(kernel))
    # In graphs TensorFlow joins a convolution with its bias into one op, of which the CPU's kernel
    # without oneDNN (x86 without AVX-512) knows no groups. Not with this in between.
    return tf.ensure_shape(maps, maps.shape)


@functools.cache
def _has_grouped_gradient(dtype):
    """Whether TensorFlow can differentiate a grouped convolution here.

    GPUs can, and CPUs through oneDNN; not float64, nor builds without oneDNN. No setting tells,
    so a tiny one is tried.
    """
    import tensorflow as tf

    with tf.init_scope():  # run now, also while a function is traced
        maps, kernel = tf.zeros((1, 3, 3, 2), dtype), tf.zeros((3, 3, 1, 2), dtype)
        try:
            tf.raw_ops.Conv2DBackpropInput(
                input_sizes=maps.shape,
                filter=kernel,
                out_backprop=maps,
                strides=[1, 1, 1, 1],
                padding="SAME",
            )
        except (tf.errors.InvalidArgumentError, tf.errors.UnimplementedError):
            return False
    return True


def kernel_initializer() -> keras.Initializer:
    """He's initialization over the outputs, as the authors' G-GhostNet: a new one each time.

    Uniform rather than normal, of the same variance: it takes a third of the time. A Keras
    initializer returns the same values every time it is called, so that two layers of equal
    shape must not share one.
    """
    return keras.initializers.VarianceScaling(2.0, "fan_out", "uniform")


def channel_axis(data_format: str) -> int:
    """The axis of a batch that holds the channels."""
    return -1 if data_format == "channels_last" else 1


def batch_norm(name: str, data_format: str, **part: Any) -> BatchNormalization:
    """Batch norm with the package's epsilon and momentum; `part` as `convolution`."""
    return BatchNormalization(
        axis=channel_axis(data_format),
        epsilon=BN_EPSILON,
        momentum=BN_MOMENTUM,
        name=name,
        **part,
    )


def convolution(
    filters: int | None,
    kernel_size: int | tuple[int, int],
    name: str,
    *,
    data_format: str,
    strides: int = 1,
    groups: int = 1,
    padding: str = "symmetric",
    dilation_rate: int = 1,
    depth_multiplier: int = 1,
    use_bias: bool = False,
    **part: Any,
) -> list[keras.Layer]:
    """A convolution, and the padding in front of it, as a list of layers.

    Args:
        filters: Output channels; None makes a depthwise convolution.
        kernel_size: An odd integer under symmetric padding; without strides also a pair of them,
            for height and width.
        name: Name of the convolution; that of its padding has "pad" in place of "conv".
        padding: `"symmetric"` pads `dilation_rate * (kernel_size - 1) / 2` on all sides, as
            torch does; Keras' own `"same"` pads one pixel less on the top and left at stride 2.
        depth_multiplier: Output channels per input channel of a depthwise convolution.
        use_bias: Without a batch norm behind it a convolution has a bias.
        **part: What the layers take over from what they are parts of: `dtype`, `trainable`.

    Returns:
        One layer, or two where symmetric padding has to be a layer of its own.
    """
    layers = []
    if padding == "symmetric":
        # At stride 1 "same" is symmetric: no layer is needed, and none has to be fused later.
        padding = "same"
        if isinstance(kernel_size, int) and strides > 1 and kernel_size > 1:
            padding = "valid"
            layers.append(
                keras.layers.ZeroPadding2D(
                    dilation_rate * (kernel_size - 1) // 2,
                    data_format=data_format,
                    name=name.replace("conv", "pad"),
                    **part,
                )
            )
    options = dict(
        kernel_size=kernel_size,
        strides=strides,
        padding=padding,
        dilation_rate=dilation_rate,
        use_bias=use_bias,
        data_format=data_format,
        name=name,
        **part,
    )
    kind: type[keras.layers.Layer]
    if filters is None:
        kind = keras.layers.DepthwiseConv2D
        options |= dict(
            depth_multiplier=depth_multiplier, depthwise_initializer=kernel_initializer()
        )
    else:
        kind = keras.layers.Conv2D if groups == 1 else GroupedConv2D
        options |= dict(filters=filters, groups=groups, kernel_initializer=kernel_initializer())
    if use_bias and data_format == "channels_first":
        kind = BIASED[kind]
    return [*layers, kind(**options)]
