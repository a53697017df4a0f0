"""Deployment models as exporters trace them."""

import keras

from keras_ghostnet.copying import set_weights
from keras_ghostnet.layers import GroupedConv2D
from keras_ghostnet.layers.convolution import BIASED
from keras_ghostnet.layers.types import Tensor


def for_tracing(model: keras.Model) -> keras.Model:
    """A model whose grouped convolutions can be traced into every format.

    On the TensorFlow backend Keras' own grouped `Conv2D` is a function compiled by XLA: slow on
    a CPU, and nothing that ONNX, TFLite or an interpreter knows. Upsampling to the nearest pixel is
    repetition, which few runtimes know, instead of resizing. A saved deployment model has both
    nevertheless, for it must load without this package; and of channels first, convolutions whose
    bias Keras may add to the wrong axis. So an exporter, or whoever runs such a
    model on a CPU, takes `for_tracing(model)`: the same layers, names and weights, with
    `keras_ghostnet.layers.GroupedConv2D`, one plain op, instead of grouped `Conv2D`, and
    `NearestResizing` instead of `UpSampling2D`.

    Args:
        model: A functional model of stock layers, as `deploy` makes it.

    Returns:
        A new model; the given one if it has neither.
    """
    if not any(_kind(layer) is not type(layer) for layer in model.layers):
        return model
    copy = keras.models.clone_model(model, clone_function=_traceable)
    set_weights(copy, model.get_weights())
    return copy


class NearestResizing(keras.layers.UpSampling2D):
    """Upsampling to the nearest pixel, by one op on the TensorFlow backend; channels last."""

    def call(self, inputs: Tensor) -> Tensor:
        if keras.backend.backend() != "tensorflow":
            return super().call(inputs)
        import tensorflow as tf  # loaded by the backend already

        size = [
            factor * length
            for factor, length in zip(self.size, keras.ops.shape(inputs)[1:3], strict=True)
        ]
        # Pixel i is pixel floor(i / factor): by the corners of pixels, not by their centers.
        return tf.raw_ops.ResizeNearestNeighbor(images=inputs, size=size, half_pixel_centers=False)


def _kind(layer):
    """The class that a layer has for tracing."""
    if type(layer) in BIASED and layer.use_bias and layer.data_format == "channels_first":
        return BIASED[type(layer)]
    if type(layer) is keras.layers.Conv2D and layer.groups > 1:
        return GroupedConv2D
    nearest = ("nearest", "channels_last")
    if type(layer) is keras.layers.UpSampling2D:
        return (
            NearestResizing if (layer.interpolation, layer.data_format) == nearest else type(layer)
        )
    return type(layer)


def _traceable(layer):
    return _kind(layer).from_config(layer.get_config())
