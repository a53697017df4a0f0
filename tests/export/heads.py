"""A small network with every end that a classifier may have."""

import keras
import numpy as np

from keras_ghostnet import layers

SHAPE = (16, 16, 3)
UNITS = 5
# fmt: off
PROBABILITIES = {
    "dense": lambda x: keras.layers.Dense(UNITS, activation="softmax")(x),
    "softmax": lambda x: keras.layers.Softmax()(keras.layers.Dense(UNITS)(x)),
    "activation": lambda x: keras.layers.Activation("softmax")(keras.layers.Dense(UNITS)(x)),
    "operation": lambda x: keras.ops.softmax(keras.layers.Dense(UNITS)(x)),
    "labels": lambda x: keras.layers.Dense(UNITS, activation="sigmoid")(x),
    "label operation": lambda x: keras.ops.sigmoid(keras.layers.Dense(UNITS)(x)),
    "unit": lambda x: keras.layers.Dense(1, activation="sigmoid")(x),
}
LOGITS = {
    "logits": lambda x: keras.layers.Dense(UNITS)(x),
    "unit logit": lambda x: keras.layers.Dense(1)(x),
}
# fmt: on
ENDS = PROBABILITIES | LOGITS


def network(end):
    """A classifier that ends in one of `ENDS`, with weights that tell images apart."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input(SHAPE)
    x = keras.layers.Conv2D(8, 3, strides=2, padding="same", activation="relu")(inputs)
    x = layers.GhostModule(16)(x)
    model = keras.Model(inputs, ENDS[end](keras.layers.GlobalAveragePooling2D()(x)), name="net")
    kernel = next(weight for weight in reversed(model.weights) if weight.path.endswith("kernel"))
    kernel.assign(20 * kernel)
    return model


def images(count=24):
    """Normalized `(count, 16, 16, 3)`: of one color each, and noise."""
    random = np.random.default_rng(0)
    colors = random.normal(size=(count, 1, 1, 3))
    return (colors + 0.3 * random.normal(size=(count, *SHAPE))).clip(-1.8, 2.2).astype("float32")
