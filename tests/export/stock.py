"""A small classifier of stock layers only, and images for it."""

import keras
import numpy as np

from keras_ghostnet.export.graph import deploy, for_tracing


def randomize_biases(model):
    """Gives every bias and shift a value: one that is lost would not show otherwise."""
    random = np.random.default_rng(1)
    for weight in model.weights:
        if weight.path.rsplit("/", 1)[-1] in ("bias", "beta"):
            weight.assign(0.1 * random.normal(size=weight.shape))
    return model


def classifier():
    """In its deployment form, with softmax."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((16, 16, 3))
    x = keras.layers.Rescaling(1 / 127.5, -1)(inputs)
    x = keras.layers.Conv2D(8, 3, strides=2, padding="same", use_bias=False)(x)
    x = keras.layers.BatchNormalization()(x)
    x = shortcut = keras.layers.ReLU()(x)
    x = keras.layers.Conv2D(8, 3, padding="same", groups=2, name="residual")(x)
    x = keras.layers.Add(name="sum")([x, shortcut])
    x = keras.layers.MaxPooling2D()(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    x = keras.layers.Dense(4, activation="softmax", name="classes")(x)
    return for_tracing(deploy(randomize_biases(keras.Model(inputs, x, name="small"))))


def pictures():
    return np.random.default_rng(0).uniform(0, 255, (8, 16, 16, 3)).astype("float32")
