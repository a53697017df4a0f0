"""A tf_keras model with TFMOT's fake quantization where TFLite will quantize it."""

import numpy as np
import tensorflow as tf
import tf_keras

from keras_ghostnet.export.quantization.configs import (
    ActivationRange,
    ChannelWeights,
    Config,
    GroupedConv2D,
    fixed_range,
    plain_convolution,
    tfmot,
)
from keras_ghostnet.export.quantization.softmax import activation_name, split_head
from keras_ghostnet.export.quantization.translation import hard_sigmoid

layers = tf_keras.layers
# Name of the kernel, and how many of its last axes count the output channels.
KERNELS = {
    layers.Conv2D: ("kernel", 1),
    layers.Dense: ("kernel", 1),
    layers.DepthwiseConv2D: ("depthwise_kernel", 2),
    GroupedConv2D: ("kernel", 1),
}
# What outputs values that it was given, or averages of them.
KEEPS_RANGE = (
    layers.AveragePooling2D,
    layers.Cropping2D,
    layers.Flatten,
    layers.GlobalMaxPooling2D,
    layers.MaxPooling2D,
    layers.Permute,
    layers.Reshape,
    layers.UpSampling2D,
    layers.ZeroPadding2D,
)
# What TFLite can take a ReLU into.
TAKES_RELU = (*KERNELS, layers.Add, layers.Multiply, layers.Subtract)
CHANGES_RANGE = (
    *TAKES_RELU,
    layers.Activation,
    layers.BatchNormalization,
    layers.Concatenate,
    layers.GlobalAveragePooling2D,
    layers.LeakyReLU,
    layers.Maximum,
    layers.Minimum,
    layers.Normalization,
    layers.ReLU,
    layers.Rescaling,
    layers.Softmax,
)
FIXED = {"sigmoid": 0.0, "softmax": 0.0, "tanh": -1.0}
WRAPPER = tfmot.quantization.keras.QuantizeWrapperV2


class FakeQuantized:
    """A model whose values are rounded as those of its int8 form.

    Args:
        model: A functional tf_keras model with one input and one output, in which every layer
            is called once and no activation is within another layer. It gives its layers away.

    Raises:
        ValueError: If TFLite has no int8 form of a layer; the message names it.
    """

    def __init__(self, model):
        for layer in model.layers:
            _check(layer)
        self.input_shape = model.input_shape
        plan = _Plan(model)
        self.body = tf_keras.models.clone_model(model, clone_function=plan.wrap)
        self.weights = plan.weights
        images = layers.Activation("linear", name="images")
        self.entry = WRAPPER(images, quantize_config=Config(ActivationRange()))
        self.before_head, self.to_logits = split_head(self.body)

    @property
    def trainable_variables(self):
        """Kernels and biases."""
        return self.body.trainable_variables

    def __call__(self, images):
        """Outputs `(n, ...)` of images `(n, height, width, channels)`, as the model's."""
        return self.body(self.entry(images, training=False), training=False)

    def to_convert(self):
        """A concrete function of one image, as TensorFlow's converter takes it."""
        for quantizer in self.weights:
            quantizer.enabled = False
        try:
            specification = tf.TensorSpec((1, *self.input_shape[1:]), "float32", name="images")
            function = tf.function(self.__call__, autograph=False)
            return function.get_concrete_function(specification)
        finally:
            for quantizer in self.weights:
                quantizer.enabled = True

    def train(self, images):
        """Logits `(n, classes)`, as `keras_ghostnet.training.logits.logits` gives them."""
        return self.to_logits(self.before_head(self.entry(images, training=False), training=False))

    def measure(self, images):
        """Widens the ranges of activations to what the float model has for the images."""
        self.body(self.entry(images, training=True), training=True)


def _check(layer):
    if not isinstance(layer, (layers.InputLayer, *KEEPS_RANGE, *CHANGES_RANGE)):
        raise ValueError(
            f"{type(layer).__name__} {layer.name!r} has no rule for int8. Leave it out, or make "
            f"it of: {', '.join(sorted(kind.__name__ for kind in CHANGES_RANGE + KEEPS_RANGE))}."
        )


class _Plan:
    """Which layers' outputs get a range, and which share one."""

    def __init__(self, model):
        self.outputs = set(model.output_names)
        self.ranges = {}  # name of a concatenation -> its range
        self.weights = []  # quantizers of kernels

    def wrap(self, layer):
        """What stands for a layer in the quantized model."""
        *before, last = _parts(layer)
        wrapped = [self._wrap(part, output) for part, output in before]
        wrapped.append(self._wrap(last[0], self._output(layer)))
        return wrapped[0] if len(wrapped) == 1 else tf_keras.Sequential(wrapped, name=layer.name)

    def _wrap(self, layer, output):
        config = Config(output)
        if type(layer) in KERNELS:
            kernel, axes = KERNELS[type(layer)]
            config = Config(output, kernel, ChannelWeights(axes))
            self.weights.append(config.weights)
        return WRAPPER(layer, quantize_config=config, name=layer.name)

    def _output(self, layer):
        """The quantizer of a layer's output, or None."""
        users = _users(layer)
        if isinstance(layer, KEEPS_RANGE):
            return None
        takes_relu = isinstance(layer, TAKES_RELU) and layer.name not in self.outputs
        if takes_relu and len(users) == 1 and _is_fusable(users[0]):
            return None
        if activation_name(layer) in FIXED:
            return fixed_range(FIXED[activation_name(layer)])
        concatenations = [user for user in users if isinstance(user, layers.Concatenate)]
        if len(concatenations) == 1:
            return self._shared(concatenations[0])
        if isinstance(layer, layers.Concatenate):
            return self._shared(layer)
        return ActivationRange()

    def _shared(self, concatenation):
        """The range of a concatenation: of the one that it goes into itself, if so."""
        into = [user for user in _users(concatenation) if isinstance(user, layers.Concatenate)]
        if len(into) == 1:
            return self._shared(into[0])
        return self.ranges.setdefault(concatenation.name, ActivationRange())


def _users(layer):
    return [node.layer for node in layer.outbound_nodes]


def _is_fusable(layer):
    if isinstance(layer, layers.ReLU):
        return layer.max_value in (None, 6) and layer.negative_slope == 0 == layer.threshold
    return activation_name(layer) in ("relu", "relu6")


def _parts(layer):
    """The layers that TFLite has for one, with the quantizers of the outputs within."""
    name = layer.name
    if isinstance(layer, (layers.BatchNormalization, layers.Normalization, layers.Rescaling)):
        return _affine(layer)
    if isinstance(layer, layers.Activation) and layer.activation is hard_sigmoid:
        return [
            (layers.Rescaling(1.0, 3.0, name=f"{name}_offset"), None),
            (layers.ReLU(6.0, name=f"{name}_relu6"), ActivationRange()),
            (layers.Rescaling(1 / 6, name=f"{name}_scale"), None),
        ]
    return [(plain_convolution(layer), None)]


def _affine(layer):
    """Scale and offset by channels: a depthwise convolution. Of vectors, only one of both."""
    if len(layer.input_shape) != 4:
        if isinstance(layer, layers.Rescaling) and (layer.scale == 1 or layer.offset == 0):
            return [(layer, None)]
        raise ValueError(
            f"{type(layer).__name__} {layer.name!r} scales a tensor of shape "
            f"{layer.input_shape}: int8 takes it on images and maps only. Fold it into the layer "
            "before or after it."
        )
    channels = layer.input_shape[-1]
    # The layer is affine, so two values show what it does to each channel.
    offset, end = (
        np.asarray(layer(np.full((1, 1, 1, channels), value, "float32"), training=False)).ravel()
        for value in (0.0, 1.0)
    )
    new = layers.DepthwiseConv2D(1, name=layer.name)
    new.build(layer.input_shape)
    new.set_weights([(end - offset).reshape(1, 1, channels, 1), offset])
    return [(new, None)]
