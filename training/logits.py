"""Outputs of any classifier, whether it ends in logits or in probabilities."""

import keras
import tensorflow as tf

TINY = 1e-30  # float32's logarithm of less is unusable


def logits(model: keras.Model, images, training: bool = False):
    """A classifier's outputs before any softmax.

    Args:
        model: A Keras model that ends in logits, or in a softmax.
        images: What it takes.
        training: As Keras models take it.

    Returns:
        Float32 `(n, classes)`. The logarithms of probabilities are logits but for a constant.
    """
    outputs = keras.ops.cast(model(images, training=training), "float32")
    if ends_in_softmax(model):
        outputs = keras.ops.log(keras.ops.maximum(outputs, TINY))
    return outputs


def ends_in_softmax(model: keras.Model) -> bool:
    """Whether a model outputs probabilities."""
    last = last_layer(model)
    activation = getattr(last, "activation", None)
    return isinstance(last, keras.layers.Softmax) or activation is keras.activations.softmax


def last_layer(model: keras.Model) -> keras.layers.Layer:
    """The layer that a model ends in, also where that is within another model."""
    last = model.layers[-1]
    return last_layer(last) if isinstance(last, keras.Model) else last


def correct(labels, outputs):
    """Which examples are classified correctly.

    Args:
        labels: Classes `(n,)`, or distributions over the classes `(n, classes)`, of which the
            most probable class counts.
        outputs: Logits `(n, classes)`.

    Returns:
        Float32 `(n,)`, 0 or 1.
    """
    if labels.shape.rank == 2:
        labels = tf.argmax(labels, axis=-1, output_type=tf.int32)
    return tf.cast(tf.argmax(outputs, axis=-1, output_type=labels.dtype) == labels, "float32")
