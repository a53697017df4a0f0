"""A small problem that is learnt in seconds, and a network for it with all kinds of layers."""

import keras
import numpy as np
import pytest

from keras_ghostnet.quiet import quiet

SIZE, CLASSES = 16, 4


def examples(count, seed):
    """Noise with one quadrant brighter: `(count, 16, 16, 3)`, and which one."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, CLASSES, count)
    images = random.normal(size=(count, SIZE, SIZE, 3))
    for image, label in zip(images, labels, strict=True):
        row, column = divmod(label, 2)
        image[8 * row : 8 * row + 8, 8 * column : 8 * column + 8] += 0.7
    return images.astype("float32"), labels


def network(activation=None):
    """Stem, ghost module, squeeze-and-excitation, grouped convolution, shortcut, head."""
    layers = keras.layers
    inputs = keras.Input((SIZE, SIZE, 3))
    x = layers.ZeroPadding2D(1)(inputs)
    x = layers.Conv2D(16, 3, strides=2, use_bias=False)(x)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    cheap = layers.BatchNormalization()(layers.DepthwiseConv2D(3, padding="same")(x))
    x = layers.Concatenate()([x, layers.ReLU()(cheap)])
    gate = layers.GlobalAveragePooling2D(keepdims=True)(x)
    gate = layers.Conv2D(32, 1, activation="hard_sigmoid")(
        layers.Conv2D(8, 1, activation="relu")(gate)
    )
    x = layers.Multiply()([x, gate])
    y = layers.Conv2D(32, 3, padding="same", groups=4)(x)
    x = layers.ReLU()(layers.Add()([x, layers.BatchNormalization()(y)]))
    x = layers.MaxPooling2D(2)(x)
    x = layers.Flatten()(layers.Conv2D(8, 1, activation="silu")(x))
    return keras.Model(inputs, layers.Dense(CLASSES, activation=activation)(x), name="small")


@pytest.fixture(scope="session")
def problem():
    """The trained network; training images and labels; held-out ones."""
    keras.utils.set_random_seed(0)
    training, held_out = examples(1024, 0), examples(512, 1)
    model = network()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    with quiet():
        model.compile(keras.optimizers.Adam(0.01), loss, jit_compile=False)
        model.optimizer.build(model.trainable_variables)  # or `fit` traces its step twice
        model.fit(*training, epochs=2, batch_size=64, verbose=0)
    return model, training, held_out


def batches(images, labels, size=64):
    """A list of batches."""
    return [
        (images[start : start + size], labels[start : start + size])
        for start in range(0, len(images), size)
    ]


def accuracy(outputs, labels):
    """The fraction of the images whose class has the largest output."""
    return np.mean(np.asarray(outputs).argmax(axis=-1) == labels)
