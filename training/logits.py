"""Outputs of any classifier, whether it ends in logits or in probabilities."""

import keras
import tensorflow as tf

from keras_ghostnet.training.data.label_maps import IGNORED
from keras_ghostnet.training.heads import output_activation

TINY = 1e-30  # float32's logarithm of less is unusable


def logits(model: keras.Model, images: tf.Tensor, training: bool = False) -> tf.Tensor:
    """A classifier's outputs before any softmax or sigmoid.

    Args:
        model: A Keras model that ends in logits, in a softmax, or in sigmoids.
        images: What it takes.
        training: As Keras models take it.

    Returns:
        Float32 `(n, classes)`, or maps of them. The logarithms of probabilities are logits but for
        a constant. Of one unit, which is the probability or the logit of the second of two classes,
        `(n, 2)`: 0 and its logit, whose softmax are the probabilities of both.
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
            most probable class counts; or maps of classes `(n, height, width)`.
        outputs: Logits `(n, classes)`, or maps of them.

    Returns:
        Float32 `(n,)`, 0 or 1; of maps the fraction of the pixels, in [0, 1].
    """
    classes = labels
    if labels.shape.rank == 2:
        classes = tf.argmax(labels, axis=-1, output_type=tf.int32)
    right = tf.argmax(outputs, axis=-1, output_type=classes.dtype) == classes
    return of_images(tf.cast(right, "float32"), labels)


def of_images(values: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """One value for each image.

    Args:
        values: Float32 `(n,)`, which stay as they are, or `(n, height, width)`.
        labels: Those of the images; of maps `(n, height, width)`.

    Returns:
        Float32 `(n,)`: of maps the means over the pixels that have a class, 0 if none has.
    """
    if values.shape.rank == 1:
        return values
    counted = tf.cast(labels != IGNORED, "float32")
    total = tf.reduce_sum(values * counted, axis=(1, 2))
    return tf.math.divide_no_nan(total, tf.reduce_sum(counted, axis=(1, 2)))
