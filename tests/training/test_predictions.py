"""Outputs of a model for images in memory."""

import keras
import numpy as np
import pytest

from keras_ghostnet.training import predictions


@pytest.mark.parametrize("shape", [(8, 8, 3), (None, None, 3)])
def test_as_layers_one_by_one(shape):
    """In batches of any size, the last one smaller; dropout and batch norm as in inference."""
    keras.utils.set_random_seed(0)
    convolution, norm = keras.layers.Conv2D(4, 3), keras.layers.BatchNormalization()
    inputs = keras.Input(shape)
    x = keras.layers.Dropout(0.5)(norm(convolution(inputs)))
    model = keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(x))
    images = np.random.default_rng(0).normal(size=(7, 8, 8, 3)).astype("float32")
    x = keras.ops.convert_to_numpy(convolution(images))
    mean, variance = map(keras.ops.convert_to_numpy, (norm.moving_mean, norm.moving_variance))
    expected = ((x - mean) / np.sqrt(variance + norm.epsilon)).mean(axis=(1, 2))
    for size in (1, 3, 7, 32):
        np.testing.assert_allclose(predictions.run(model, images, size), expected, atol=1e-6)


def test_pixels_and_weights_that_change():
    inputs = keras.Input((2, 2, 1))
    layer = keras.layers.Dense(1, use_bias=False)
    run = predictions.runner(keras.Model(inputs, layer(keras.layers.Flatten()(inputs))))
    pixels = np.arange(4, dtype="uint8").reshape(1, 2, 2, 1)
    for weight in (1, 2):
        layer.set_weights([np.full((4, 1), weight)])
        np.testing.assert_array_equal(run(pixels), [[6 * weight]])
        np.testing.assert_array_equal(run(pixels[[0, 0]].astype("float32")), [[6 * weight]] * 2)
