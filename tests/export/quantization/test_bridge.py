"""Keras 3 models as tf_keras models."""

import os

import keras
import numpy as np
import pytest

from keras_ghostnet.export.graph import deploy
from keras_ghostnet.export.quantization import to_tf_keras
from keras_ghostnet.quiet import quiet
from tests.export.networks import SHAPE, short_network

LAYERS = keras.layers
APPLICATIONS = ("MobileNetV2", "MobileNetV3Small", "EfficientNetB0")
VALUES = np.linspace(-8, 8, 2 * 6 * 6 * 4, dtype="float32").reshape(2, 6, 6, 4)[:, ::-1]


def shake(model):
    """Gives batch norms statistics of their own."""
    random = np.random.default_rng(0)
    for layer in model._flatten_layers():
        if isinstance(layer, LAYERS.BatchNormalization):
            for variable, center in zip(layer.weights, (1, 0, 0, 1), strict=True):
                variable.assign(random.uniform(-0.3, 0.3, variable.shape) + center)
    return model


def error(model, *inputs):
    """The largest difference to the tf_keras model, in standard deviations of the outputs."""
    inputs = list(inputs) if len(inputs) > 1 else inputs[0]
    converted = to_tf_keras(model)
    expected = keras.tree.flatten(model(inputs, training=False))
    found = keras.tree.flatten(converted(inputs, training=False))
    assert type(converted).__module__.startswith("tf_keras")
    return max(
        np.abs(a.numpy() - b.numpy()).max() / a.numpy().std()
        for a, b in zip(expected, found, strict=True)
    )


@pytest.mark.parametrize("name", APPLICATIONS)
def test_applications(name):
    with quiet():
        model = getattr(keras.applications, name)(
            weights=None, input_shape=(64, 64, 3), classes=10, classifier_activation=None
        )
    images = np.random.default_rng(1).uniform(0, 255, (2, 64, 64, 3)).astype("float32")
    assert error(shake(model), images) < 1e-5


@pytest.mark.parametrize("name", ["ghostnet_050", "g_ghost_regnetx_002"])
def test_deployment_graphs(name):
    model = shake(short_network(name))
    images = np.random.default_rng(1).normal(size=(2, *SHAPE)).astype("float32")
    assert error(deploy(model), images) < 1e-5


@pytest.mark.parametrize(
    "layer",
    [
        LAYERS.Activation("gelu"),
        LAYERS.Activation("hard_sigmoid"),
        LAYERS.Activation("hard_silu"),
        LAYERS.Activation("leaky_relu"),
        LAYERS.Activation("log_softmax"),
        LAYERS.Activation("relu6"),
        LAYERS.Activation("silu"),
        LAYERS.AveragePooling2D(3, strides=2, padding="same"),
        LAYERS.Conv2D(6, 3, dilation_rate=2, padding="same", activation="hard_silu"),
        LAYERS.Conv2D(8, (3, 1), strides=2, groups=2),
        LAYERS.Conv2DTranspose(5, 3, strides=2, padding="same"),
        LAYERS.Cropping2D(((1, 0), (2, 1))),
        LAYERS.DepthwiseConv2D(3, depth_multiplier=2),
        LAYERS.Dropout(0.5, noise_shape=(None, 1, 1, 1)),
        LAYERS.GlobalAveragePooling2D(keepdims=True),
        LAYERS.LayerNormalization(),
        LAYERS.LeakyReLU(negative_slope=0.1),
        LAYERS.Normalization(mean=(1.0, 2.0, 3.0, 4.0), variance=(1.0, 2.0, 3.0, 4.0)),
        LAYERS.PReLU(shared_axes=(1, 2), alpha_initializer="glorot_uniform"),
        LAYERS.ReLU(max_value=6.0, negative_slope=0.1, threshold=1.0),
        LAYERS.Rescaling(1 / 127.5, offset=-1),
        LAYERS.SeparableConv2D(6, 3),
        LAYERS.Softmax(axis=1),
        LAYERS.UpSampling2D(2, interpolation="bilinear"),
        LAYERS.ZeroPadding2D(((1, 0), (2, 1))),
    ],
    ids=lambda layer: layer.name,
)
def test_layers_that_differ(layer):
    inputs = keras.Input((6, 6, 4))
    assert error(keras.Model(inputs, layer(inputs)), VALUES) < 1e-5


def test_adapted_normalization():
    layer = LAYERS.Normalization()
    layer.adapt(VALUES)
    inputs = keras.Input((6, 6, 4))
    assert error(keras.Model(inputs, layer(inputs)), VALUES) < 1e-5


def test_operations():
    inputs = keras.Input((6, 6, 4))
    x = keras.ops.add(inputs, LAYERS.Conv2D(4, 3, padding="same")(inputs))
    x = keras.ops.relu6(x + 3.0) * (1 / 6) * inputs - inputs
    x = keras.ops.mean(x, axis=(1, 2), keepdims=True)
    assert error(keras.Model(inputs, keras.ops.concatenate([x, x], axis=-1)), VALUES) < 1e-5


def test_shared_and_nested_and_several():
    first, second = keras.Input((6, 6, 4), name="first"), keras.Input((6, 6, 4), name="second")
    shared = LAYERS.Conv2D(5, 3, name="shared")
    nested = keras.Sequential([keras.Input((4, 4, 5)), LAYERS.Flatten(), LAYERS.Dense(3)])
    a, b = shared(first), shared(second)
    model = keras.Model([first, second], {"sum": LAYERS.Add()([a, b]), "dense": nested(a)})
    assert error(model, VALUES, VALUES[::-1]) < 1e-5
    converted = to_tf_keras(model)
    assert converted.count_params() == model.count_params()
    assert set(converted([VALUES, VALUES])) == {"sum", "dense"}


def test_sequential_and_names():
    model = keras.Sequential([keras.Input((6, 6, 4)), LAYERS.Conv2D(3, 1, name="a"), LAYERS.ReLU()])
    assert error(model, VALUES) < 1e-5
    assert "a" in [layer.name for layer in to_tf_keras(model).layers]


def test_the_model_is_left_as_it_is():
    inputs = keras.Input((6, 6, 4))
    layer = LAYERS.Conv2D(3, 1)
    model = keras.Model(inputs, layer(inputs))
    before = model.to_json(), [weight.copy() for weight in model.get_weights()]
    converted = to_tf_keras(model)
    converted.layers[1].kernel.assign_add(np.ones((1, 1, 4, 3)))
    assert model.to_json() == before[0]
    assert len(layer._inbound_nodes) == 1
    np.testing.assert_array_equal(model.get_weights()[0], before[1][0])


def test_keras_3_stays_keras_3():
    to_tf_keras(keras.Sequential([keras.Input((3,)), LAYERS.Dense(2)]))
    assert "TF_USE_LEGACY_KERAS" not in os.environ
    assert keras.__version__.startswith("3")


def refusals():
    inputs = keras.Input((6, 6, 4))
    yield LAYERS.Lambda(lambda x: 2 * x, name="twice")(inputs), "Lambda 'twice'"
    yield LAYERS.RandomFlip(name="flip")(inputs), "RandomFlip 'flip'"
    yield keras.ops.sort(inputs), "Sort 'sort"
    yield LAYERS.Activation(lambda x: x + 1, name="plus")(inputs), "Activation 'plus'.*<lambda>"
    yield LAYERS.Conv2D(3, 1, activation="celu", name="curved")(inputs), "'curved'.*'celu'"


@pytest.mark.parametrize(("outputs", "message"), refusals(), ids=lambda x: str(x)[:20])
def test_unknown_layers_are_named(outputs, message):
    model = keras.Model(outputs._keras_history.operation.input, outputs)
    with pytest.raises(ValueError, match=message):
        to_tf_keras(model)


def test_a_model_without_a_graph_is_refused():
    with pytest.raises(ValueError, match="has no graph of layers"):
        to_tf_keras(keras.Sequential([LAYERS.Dense(2)]))
