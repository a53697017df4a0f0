"""tf_keras models that end in probabilities: losses want their logits."""

import tensorflow as tf
import tf_keras


def activation_name(layer):
    """The name of a tf_keras layer's activation if that is all it computes, or None."""
    if isinstance(layer, tf_keras.layers.Softmax):
        return "softmax"
    if isinstance(layer, tf_keras.layers.Activation):
        return layer.activation.__name__
    return None


def split_head(model):
    """The model up to its logits, and what makes of them what a loss takes.

    Args:
        model: A functional tf_keras model with one output; its last layer may be wrapped.

    Returns:
        A model with the same layers, which is `model` itself if that ends in logits; and a
        function of its outputs `(n, units)` whose results `(n, classes)` are as those of
        `keras_ghostnet.training.logits.logits`.
    """
    last = model.get_layer(model.output_names[0])
    activation = activation_name(getattr(last, "layer", last))
    if activation in ("softmax", "sigmoid"):
        model = tf_keras.Model(model.input, last.input)
    if activation == "softmax":
        return model, tf.nn.log_softmax
    if model.output_shape[-1] == 1:
        return model, lambda outputs: tf.concat([tf.zeros_like(outputs), outputs], axis=-1)
    return model, tf.identity
