"""The functions that a SavedModel offers, from normalized floats to the bytes of files."""

import functools

import keras
import numpy as np
import tensorflow as tf

from keras_ghostnet.export.saved_model.decoding import MAX_PIXELS, evaluation_image
from keras_ghostnet.model_input import NORMALIZED
from keras_ghostnet.training.data import images as image_ops
from keras_ghostnet.training.heads import (
    count_classes,
    is_of_pixels,
    output_activation,
    to_probabilities,
)

# Without AutoGraph, which takes as long as the tracing and converts nothing here.
traced = functools.partial(tf.function, autograph=False)


def signatures(model, *, labels=None, top_k=5, crop=0.875, max_pixels=MAX_PIXELS, input=NORMALIZED):
    """A classifier's signatures.

    By name, input -> outputs:

    - `serving_default`: `images`, as the model takes them, float32 `(n, height, width, 3)` ->
      `outputs`, the model's, float32 `(n, classes)`.
    - `classify_uint8`: `pixels`, RGB of any size, uint8 `(n, any, any, 3)` -> `classes`, `scores`,
      `labels`.
    - `classify_bytes`: `image_bytes`, JPEG or PNG files, string `(n,)` -> the same and `errors`.
    - `embed`: `images` -> `embeddings`, float32 `(n, units)`.
    - `embed_bytes`: `image_bytes` -> `embeddings`, `errors`.

    `classes` int32, `scores` float32 (probabilities) and `labels` string are `(n, top_k)`, best
    first; of a model with one unit, of two classes.
    A classifier of pixels, whose outputs are maps `(n, height, width, classes)`, has only the
    first.
    An image that holds NaN or infinity has outputs and embeddings of NaN.
    `errors` is string `(n,)`, empty for an image that was answered; one that was not has the
    classes -1, the labels "", and scores and embeddings of 0. `embeddings` are what the
    classifier, the last dense layer, gets; a model without one has no such signatures.

    Args:
        model: A functional or sequential Keras model with one input `(height, width, 3)` and one
            output: logits, or the softmax or sigmoids of them, of an image or of every pixel.
        labels: The classes' names; None takes their numbers.
        top_k: The number of classes to return; all, of a model with fewer.
        crop: The fraction of the resized image's shorter side that evaluation keeps, in (0, 1].
        max_pixels: Encoded images of more are refused.
        input: What the model takes, of `keras_ghostnet.model_input.INPUTS`.

    Returns:
        A dictionary of the name and the `tf.function`.

    Raises:
        ValueError: If the model or an option does not fit.
    """
    size, classes = _check_model(model)
    labels = _check_options(labels, classes, top_k, crop, max_pixels)
    activation = _require_known_activation(model)
    forward = _forward(model)
    prepare = image_ops.normalize if input == NORMALIZED else tf.identity

    def spec(name, shape, dtype):
        return tf.TensorSpec(shape, dtype, name)

    floats = spec("images", (None, *size, 3), tf.float32)
    encoded = spec("image_bytes", (None,), tf.string)

    def best(images):
        scores = to_probabilities(forward(images)[0], activation)
        scores, indices = tf.math.top_k(scores, min(top_k, classes))
        return {"classes": indices, "scores": scores, "labels": tf.gather(labels, indices)}

    def decoded(image_bytes):
        return tf.map_fn(
            lambda encoded: evaluation_image(encoded, size, crop, max_pixels, prepare),
            image_bytes,
            fn_output_signature=(tf.TensorSpec((*size, 3)), tf.TensorSpec((), tf.string)),
        )

    @traced(input_signature=[floats])
    def serving_default(images):
        return {"outputs": forward(images)[0]}

    if is_of_pixels(model):
        return {"serving_default": serving_default}

    @traced(input_signature=[spec("pixels", (None, None, None, 3), tf.uint8)])
    def classify_uint8(pixels):
        return best(
            tf.map_fn(
                lambda image: prepare(image_ops.center_crop(image, size, crop)),
                _not_empty(pixels),
                fn_output_signature=tf.TensorSpec((*size, 3)),
            )
        )

    @traced(input_signature=[encoded])
    def classify_bytes(image_bytes):
        images, errors = decoded(image_bytes)
        found, usable = best(images), (errors == "")[:, None]
        return {
            "classes": tf.where(usable, found["classes"], -1),
            "scores": tf.where(usable, found["scores"], 0.0),
            "labels": tf.where(usable, found["labels"], ""),
            "errors": errors,
        }

    @traced(input_signature=[floats])
    def embed(images):
        return {"embeddings": forward(images)[1]}

    @traced(input_signature=[encoded])
    def embed_bytes(image_bytes):
        images, errors = decoded(image_bytes)
        embeddings = forward(images)[1]
        return {"embeddings": tf.where((errors == "")[:, None], embeddings, 0.0), "errors": errors}

    functions = [serving_default, classify_uint8, classify_bytes]
    if _classifier(model) is not None:
        functions += [embed, embed_bytes]
    return {function.__name__: function for function in functions}


def _forward(model):
    """The network as one function, shared by all signatures, that returns a list.

    The outputs and, if there is a classifier, what it gets.
    """
    classifier = _classifier(model)
    outputs = [model.output] if classifier is None else [model.output, classifier.input]
    network = keras.Model(model.input, outputs)

    @traced(input_signature=[tf.TensorSpec((None, *model.input_shape[1:]), tf.float32)])
    def forward(images):
        check = tf.debugging.assert_positive(
            tf.shape(images)[0], "The batch is empty: send at least one image."
        )
        with tf.control_dependencies([check]):
            results = tf.nest.flatten(network(images, training=False))
        # A ReLU makes 0 of NaN: without this, such an image would get scores like any other.
        usable = tf.reduce_all(tf.math.is_finite(images), axis=(1, 2, 3))
        return [
            tf.where(
                tf.reshape(usable, (-1, *[1] * (len(result.shape) - 1))),
                tf.cast(result, tf.float32),
                np.float32("nan"),
            )
            for result in results
        ]

    return forward


def _classifier(model):
    dense = [layer for layer in model.layers if isinstance(layer, keras.layers.Dense)]
    return dense[-1] if dense else None


def _require_known_activation(model):
    """What `output_activation` says of a model.

    Raises:
        ValueError: If its outputs are neither logits nor probabilities.
    """
    last = model.layers[-1]
    while isinstance(last, keras.Model):
        last = last.layers[-1]
    activation = getattr(last, "activation", None)
    if activation not in (None, *map(keras.activations.get, ("linear", "softmax", "sigmoid"))):
        raise ValueError(
            "Scores are probabilities: the model must output logits, or the softmax or sigmoids of "
            f"them. Its last layer, {last.name}, has the activation {activation.__name__}."
        )
    return output_activation(model)


def _not_empty(pixels):
    shape = tf.shape(pixels)
    check = tf.debugging.assert_positive(
        shape[1:3], "`pixels` must be images of at least 1 x 1 pixel."
    )
    with tf.control_dependencies([check]):
        return tf.identity(pixels)


def _check_model(model):
    """The size of the model's images, and its number of classes."""
    shapes = [tuple(tensor.shape[1:]) for tensor in (*model.inputs, *model.outputs)]
    fits = [len(shape) for shape in shapes] in ([3, 1], [3, 3])
    if not fits or None in shapes[0] or shapes[0][-1] != 3:
        raise ValueError(
            "Serving needs a classifier of RGB images of a fixed size: one input "
            "`(height, width, 3)` and one output `(classes,)` or `(height, width, classes)`. "
            f"Received a model with inputs and outputs {shapes}: build it with "
            "`input_shape=(height, width, 3)`."
        )
    return shapes[0][:2], count_classes(model)


def _check_options(labels, classes, top_k, crop, max_pixels):
    """The labels, after a look at all options."""
    labels = [str(number) for number in range(classes)] if labels is None else list(labels)
    for name, value, fits in (
        ("labels", labels, len(labels) == classes),
        ("top_k", top_k, top_k >= 1),
        ("crop", crop, 0 < crop <= 1),
        ("max_pixels", max_pixels, max_pixels >= 1),
    ):
        if not fits:
            raise ValueError(
                f"`{name}` does not fit a model of {classes} classes. Received: {name}={value!r}."
            )
    return labels
