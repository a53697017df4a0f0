"""TFMOT's quantizers and quantize configs, as TFLite's 8-bit scheme asks for them.

Activations have one range a tensor, weights one a channel and symmetric. TFMOT's own scheme has
one range for a whole depthwise kernel, and none at all for the weights of a convolution that a
ReLU follows without batch norm.
"""

import tensorflow as tf
import tf_keras

from keras_ghostnet.export.quantization.dependencies import load_tfmot
from keras_ghostnet.layers import GroupedConv2D as KerasGroupedConv2D

tfmot = load_tfmot()

SMALLEST = 1e-8  # range of a channel whose weights are all 0
LEVELS = 256
MOST = 127  # largest int8 of a weight, of either sign


class ActivationRange(tfmot.quantization.keras.quantizers.Quantizer):
    """A tensor's range: from the smallest to the largest value that was measured.

    With `training` it measures and rounds nothing; otherwise it rounds by what was measured.
    The same object for several layers gives them one range.
    """

    variables = None

    def build(self, tensor_shape, name, layer):
        if self.variables is None:
            # 0 must be one of the values: padding consists of it.
            self.variables = [
                layer.add_weight(f"{name}_{end}", shape=(), initializer="zeros", trainable=False)
                for end in ("low", "high")
            ]
        return self.variables

    @tf.autograph.experimental.do_not_convert
    def __call__(self, inputs, training, weights, **kwargs):
        low, high = weights
        if not training:
            return tf.quantization.fake_quant_with_min_max_vars(inputs, low, high, num_bits=8)
        low.assign(tf.minimum(low, tf.reduce_min(inputs)))
        high.assign(tf.maximum(high, tf.reduce_max(inputs)))
        return inputs

    def get_config(self):
        return {}


class ChannelWeights(tfmot.quantization.keras.quantizers.Quantizer):
    """A kernel's symmetric range for every output channel, by its values of the moment.

    With `training`, when ranges of activations are measured, it rounds nothing.

    Args:
        axes: The number of the kernel's last axes that make up the output channels.

    Attributes:
        enabled: Off while a model is converted: the converter takes the same ranges of the
            kernels by itself, and knows no fake quantization of a depthwise kernel's channels.
    """

    enabled = True

    def __init__(self, axes):
        self.axes = axes

    def build(self, tensor_shape, name, layer):
        return {}

    @tf.autograph.experimental.do_not_convert
    def __call__(self, inputs, training, weights, **kwargs):
        if training or not self.enabled:
            return tf.convert_to_tensor(inputs)
        shape = inputs.shape
        kernel = tf.reshape(inputs, (-1, shape[-self.axes :].num_elements()))
        scale = tf.maximum(tf.reduce_max(tf.abs(kernel), axis=0), SMALLEST) / MOST
        # The same as TensorFlow's fake quantization by channels, whose gradient takes a CPU
        # longer than all the rest of a step.
        rounded = tf.reshape(tf.round(kernel / scale) * scale, shape)
        return inputs + tf.stop_gradient(rounded - inputs)

    def get_config(self):
        return {"axes": self.axes}


def fixed_range(low):
    """The quantizer that TFLite prescribes for sigmoid and softmax (0) and tanh (-1)."""
    high = low + (1 - low) * (LEVELS - 1) / LEVELS
    return tfmot.quantization.keras.quantizers.FixedQuantizer(
        num_bits=8, init_min=low, init_max=high, narrow_range=False
    )


class Config(tfmot.quantization.keras.QuantizeConfig):
    """How a layer is quantized.

    Args:
        output: The quantizer of its output; None if the next layer's does, or nothing changes.
        kernel: Name of the kernel; None if it has none.
        weights: The kernel's quantizer.
    """

    def __init__(self, output=None, kernel=None, weights=None):
        self.output, self.kernel, self.weights = output, kernel, weights

    def get_weights_and_quantizers(self, layer):
        return [(getattr(layer, self.kernel), self.weights)] if self.kernel else []

    def set_quantize_weights(self, layer, quantize_weights):
        for weight in quantize_weights:
            setattr(layer, self.kernel, weight)

    def get_activations_and_quantizers(self, layer):
        return []

    def set_quantize_activations(self, layer, quantize_activations):
        """Activations are layers of their own."""

    def get_output_quantizers(self, layer):
        return [self.output] if self.output else []

    def get_config(self):
        return {"output": self.output, "kernel": self.kernel, "weights": self.weights}


class GroupedConv2D(tf_keras.layers.Conv2D):
    """A grouped convolution as one plain op: that of tf_keras is compiled by XLA, slow on a CPU."""

    def call(self, inputs):
        plain = KerasGroupedConv2D(
            self.filters,
            self.kernel_size,
            strides=self.strides,
            padding=self.padding,
            data_format=self.data_format,
            dilation_rate=self.dilation_rate,
            groups=self.groups,
        )
        outputs = plain.convolution_op(inputs, self.kernel)
        if self.use_bias:
            outputs = tf.nn.bias_add(outputs, self.bias)
        return self.activation(outputs)


def plain_convolution(layer):
    """A layer, or a `GroupedConv2D` with its weights if it is a grouped convolution."""
    if type(layer) is not tf_keras.layers.Conv2D or layer.groups == 1:
        return layer
    new = GroupedConv2D.from_config(layer.get_config())
    new.build(layer.input_shape)
    new.set_weights(layer.get_weights())
    return new
