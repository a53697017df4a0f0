"""Models of 16 bits as models of float32."""

import keras
import numpy as np
import pytest

from keras_ghostnet import layers
from keras_ghostnet.builder import with_image_size
from keras_ghostnet.precision import in_float32

POLICIES = ("mixed_bfloat16", "mixed_float16", "bfloat16", "float16")


def network(policy, nested=True):
    """A small network of layers, blocks, operations and a model within the model."""
    keras.utils.set_random_seed(0)
    before, floatx = keras.config.dtype_policy(), keras.config.floatx()
    keras.config.set_dtype_policy(policy)
    if not policy.startswith("mixed"):
        keras.config.set_floatx(policy)  # then inputs are of that type, too
    try:
        inputs = keras.Input((16, 16, 3))
        x = keras.layers.Conv2D(8, 3, name="stem")(inputs)
        if nested:
            within = keras.Input((14, 14, 8))
            y = layers.GhostModule(16, name="ghost")(within)
            x = keras.Model(within, y, name="nested")(x)
        x = keras.ops.relu(x) / 3
        x = keras.layers.GlobalAveragePooling2D()(x)
        outputs = keras.layers.Dense(4, name="predictions", dtype="float32")(x)
        return keras.Model(inputs, outputs, name="network")
    finally:
        keras.config.set_floatx(floatx)
        keras.config.set_dtype_policy(before)


@pytest.mark.parametrize("policy", POLICIES)
def test_the_model_in_float32_is_the_network_with_the_same_weights(policy):
    reduced, plain = network(policy), network("float32")
    converted = in_float32(reduced)
    assert [weight.path for weight in converted.weights] == [w.path for w in plain.weights]
    assert {weight.dtype.name if hasattr(weight.dtype, "name") else weight.dtype
            for weight in converted.weights} == {"float32"}  # fmt: skip
    assert {layer.compute_dtype for layer in converted._flatten_layers()} == {"float32"}
    assert converted.inputs[0].dtype == "float32"
    images = np.random.default_rng(0).normal(size=(4, 16, 16, 3)).astype("float32")
    plain.set_weights([weight.astype("float32") for weight in reduced.get_weights()])
    expected = np.asarray(plain(images))
    np.testing.assert_allclose(converted(images), expected, rtol=1e-5, atol=1e-6)
    # The difference to the model itself is the rounding that is left out.
    rounded = np.abs(np.asarray(reduced(images)) - expected).max() / expected.std()
    assert rounded > 1e-4
    assert (converted.name, converted.output_shape) == ("network", (None, 4))


def test_a_model_in_float32_stays_itself():
    model = network("float32")
    assert in_float32(model) is model


def test_a_compiled_sequential_model():
    model = keras.Sequential(
        [keras.Input((8,)), keras.layers.Dense(3, dtype="mixed_bfloat16", name="dense")]
    )
    model.compile("sgd", "mse")
    converted = in_float32(model)
    assert converted.layers[-1].compute_dtype == "float32"
    np.testing.assert_array_equal(converted.get_weights()[0], model.get_weights()[0])
    assert model.layers[-1].compute_dtype == "bfloat16"


def test_statistics_of_normalization_are_copied():
    """Keras computes with copies of them, which its `set_weights` does not renew."""
    inputs = keras.Input((8, 8, 3))
    normalization = keras.layers.Normalization()
    pixels = np.random.default_rng(0).uniform(0, 255, (16, 8, 8, 3)).astype("float32")
    normalization.adapt(pixels)
    x = keras.layers.Conv2D(4, 3, dtype="mixed_bfloat16")(normalization(inputs))
    x = keras.layers.GlobalAveragePooling2D(dtype="float32")(x)
    model = keras.Model(inputs, keras.layers.Dense(2)(x))
    expected = model(pixels)
    assert float(keras.ops.std(expected)) > 0.05
    np.testing.assert_allclose(in_float32(model)(pixels), expected, atol=0.02)
    larger = with_image_size(with_image_size(model, 12), 8)
    np.testing.assert_array_equal(larger(pixels), expected)
