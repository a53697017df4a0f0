"""Saving and loading of the layers: alone and in models, whatever Keras is set to meanwhile."""

import functools

import keras
import numpy as np
import pytest

from tests.keras_state import dtype_policy, image_data_format
from tests.layers import samples
from tests.layers.reference import Weights, images
from tests.layers.samples import SAMPLES


def batch():
    return images(2, *samples.shape()).astype("float32")


def functional(name, **options):
    """A model that calls the layer on one of two paths, with random weights."""
    inputs = keras.Input(samples.shape())
    x = keras.layers.Conv2D(samples.CHANNELS, 1)(inputs)
    outputs = [samples.make(name, name="sample", **options)(x), keras.layers.Activation("relu")(x)]
    return randomized(keras.Model(inputs, outputs))


@functools.cache
def functional_sample(name):
    """The same with the sample's own arguments; built once, since no test changes it."""
    return functional(name)


def sequential(name):
    """A model of two such layers and a classifier."""
    layers = [samples.make(name, name=f"sample{number}") for number in (1, 2)]
    head = [keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(3)]
    return randomized(keras.Sequential([keras.Input(samples.shape()), *layers, *head]))


def randomized(model):
    for seed, layer in enumerate(model.layers):
        Weights(layer, seed)
    return model


def saved_and_loaded(model, folder):
    model.save(folder / "model.keras")
    return keras.saving.load_model(folder / "model.keras")


@pytest.mark.parametrize("name", SAMPLES)
def test_config_rebuilds_the_layer(name):
    layer = samples.make(name, name="sample", trainable=False, dtype="float64")
    config = layer.get_config()
    again = type(layer).from_config(config)
    assert again.get_config() == config
    for argument, value in SAMPLES[name][1].items():
        if "activation" not in argument and name != "grouped":
            assert config[argument] == value
    assert again.name == "sample"
    assert not again.trainable
    assert again.dtype_policy.name == "float64"


@pytest.mark.parametrize("name", SAMPLES)
def test_config_holds_every_argument_of_the_constructor(name):
    kind, _ = SAMPLES[name]
    code = kind.__init__.__code__
    arguments = set(code.co_varnames[1 : code.co_argcount])
    assert arguments <= set(samples.make(name).get_config())


@pytest.mark.parametrize("name", SAMPLES)
def test_functional_model_survives_saving(name, tmp_path):
    model = functional_sample(name)
    loaded = saved_and_loaded(model, tmp_path)
    for expected, actual in zip(model(batch()), loaded(batch()), strict=True):
        np.testing.assert_array_equal(actual, expected)
    assert [weight.path for weight in loaded.weights] == [weight.path for weight in model.weights]


@pytest.mark.parametrize("name", ["ghost_cut", "se", "bottleneck", "regnet", "stage"])
def test_sequential_model_survives_saving(name, tmp_path):
    model = sequential(name)
    loaded = saved_and_loaded(model, tmp_path)
    np.testing.assert_array_equal(loaded(batch()), model(batch()))


@pytest.mark.parametrize("name", ["ghost_cut", "se", "bottleneck_strided", "regnet", "stage"])
@pytest.mark.parametrize(
    ("layer_policy", "global_policy"), [("mixed_bfloat16", "float32"), ("float32", "float64")]
)
def test_loaded_parts_keep_the_policy_of_their_layer(name, layer_policy, global_policy, tmp_path):
    model = functional(name, dtype=layer_policy)
    with dtype_policy(global_policy):
        layer = saved_and_loaded(model, tmp_path).get_layer("sample")
    assert layer.dtype_policy.name == layer_policy
    assert {part.dtype_policy.name for part in samples.parts(layer)} == {layer_policy}
    assert {weight.dtype for weight in layer.weights} == {"float32"}


@pytest.mark.parametrize("name", ["grouped", "ghost_cut", "se", "bottleneck", "stage"])
def test_loaded_layer_keeps_its_data_format(name, tmp_path):
    model = functional_sample(name)
    with image_data_format("channels_first"):
        loaded = saved_and_loaded(model, tmp_path)
        assert loaded.get_layer("sample").data_format == "channels_last"
        np.testing.assert_array_equal(loaded(batch())[0], model(batch())[0])


def test_frozen_layer_is_loaded_frozen(tmp_path):
    model = functional("bottleneck_strided")
    model.get_layer("sample").trainable = False
    loaded = saved_and_loaded(model, tmp_path)
    assert loaded.get_layer("sample").trainable_weights == []
    # Neither do its batch norms learn.
    np.testing.assert_array_equal(loaded(batch(), training=True)[0], model(batch())[0])


def test_clone_is_a_layer_of_its_own_with_the_same_function():
    model = functional_sample("stage")
    clone = keras.models.clone_model(model)
    assert not {id(weight) for weight in clone.weights} & {id(weight) for weight in model.weights}
    clone.set_weights(model.get_weights())
    np.testing.assert_array_equal(clone(batch())[0], model(batch())[0])


def test_activation_of_ones_own_is_saved(tmp_path):
    @keras.saving.register_keras_serializable(package="tests")
    def halved(x):
        return 0.5 * x

    model = functional("ghost", activation=halved)
    loaded = saved_and_loaded(model, tmp_path)
    assert loaded.get_layer("sample").activation is halved
    np.testing.assert_array_equal(loaded(batch())[0], model(batch())[0])
