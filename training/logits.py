"""The logits of any classifier, whether it ends in them or in probabilities."""

import keras

TINY = 1e-30  # float32's logarithm of less is unusable


def logits(model, images, training=False):
    """What a classifier says of images, before any softmax.

    Args:
        model: A Keras model that ends in logits, or in a softmax.
        images: What it takes.
        training: As Keras models take it.

    Returns:
        Float32 `(n, classes)`. The logarithm of probabilities is logits but for a constant.
    """
    outputs = keras.ops.cast(model(images, training=training), "float32")
    if ends_in_softmax(model):
        outputs = keras.ops.log(keras.ops.maximum(outputs, TINY))
    return outputs


def ends_in_softmax(model):
    """Whether a model puts out probabilities."""
    last = model.layers[-1]
    if isinstance(last, keras.Model):
        return ends_in_softmax(last)
    activation = getattr(last, "activation", None)
    return isinstance(last, keras.layers.Softmax) or activation is keras.activations.softmax
