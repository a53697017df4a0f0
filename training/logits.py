"""Outputs of any classifier, whether it ends in logits or in probabilities."""

import keras
import tensorflow as tf

from keras_ghostnet.training.heads import output_activation

TINY = 1e-30  # float32's logarithm of less is unusable


def logits(model: keras.Model, images: tf.Tensor, training: bool = False) -> tf.Tensor:
    """A classifier's outputs before any softmax or sigmoid.

    Args:
        model: A Keras model that ends in logits, in a softmax, or in sigmoids.
        images: What it takes.
        training: As Keras models take it.

    Returns:
        Float32 `(n, classes)`. The logarithms of probabilities are logits but for a constant. Of
        one unit, which is the probability or the logit of the second of two classes, `(n, 2)`: 0
        and its logit, whose softmax are the probabilities of both.
    """
    outputs = keras.ops.cast(model(images, training=training), "float32")
    activation = output_activation(model)
    if activation != "linear":
        logarithms = keras.ops.log(keras.ops.maximum(outputs, TINY))
        others = keras.ops.log(keras.ops.maximum(1 - outputs, TINY))
        outputs = logarithms if activation == "softmax" else logarithms - others
    if outputs.shape[-1] == 1:
        outputs = keras.ops.concatenate([keras.ops.zeros_like(outputs), outputs], axis=-1)
    return outputs


def correct(labels: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
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
