"""Each step alone, on networks made for it: where it applies, and where it must not."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_ghostnet.benchmark.networks.shuffle import channel_shuffle
from keras_ghostnet.export.graph.deploy import deploy
from keras_ghostnet.export.graph.passes.averages import convolve_averages
from keras_ghostnet.export.graph.passes.fold_batch_norm import fold_batch_norms
from keras_ghostnet.export.graph.passes.fold_gate import fold_gates
from keras_ghostnet.export.graph.passes.identities import KINDS, remove_identities
from keras_ghostnet.export.graph.passes.normalizations import convert_normalizations
from keras_ghostnet.export.graph.passes.pooling import split_pooling
from keras_ghostnet.export.graph.passes.reshapes import remove_reshapes
from keras_ghostnet.export.graph.passes.selections import merge_selections
from keras_ghostnet.export.graph.passes.slices import remove_slices
from tests.export import keras_layers
from tests.export.graph.passes import SHAPE, after, network

GIVEN = dict(mean=[1.0, 2.0, 3.0, 4.0], variance=[1.0, 4.0, 0.0, 9.0])


@pytest.mark.parametrize("options", [GIVEN, {**GIVEN, "invert": True}, {"axis": None}])
def test_normalization_of_maps_becomes_a_depthwise_convolution(options):
    layer = layers.Normalization(**options)
    if "mean" not in options:
        layer.adapt(np.random.default_rng(0).normal(2, 3, size=(9, *SHAPE)))
    inputs = keras.Input(SHAPE)
    model = keras.Model(inputs, layer(inputs))
    assert after(convert_normalizations, model, 1e-6) == ["DepthwiseConv2D"]


def test_normalization_of_vectors_becomes_rescaling():
    model = network(layers.Normalization(mean=[1.0, 2.0], variance=[1.0, 4.0]), shape=(2,))
    assert after(convert_normalizations, model, 1e-6) == ["Rescaling"]


def test_normalization_by_place_becomes_rescaling():
    mean = np.arange(32.0).reshape(8, 4)
    layer = layers.Normalization(axis=(1, 3), mean=mean, variance=1 + mean)
    assert after(convert_normalizations, network(layer), 1e-6) == ["Rescaling"]


@pytest.mark.parametrize(
    ("first", "dtype"),
    [
        (lambda x: layers.Rescaling(1 / 255)(layers.RandomFlip()(x)), "float32"),
        (lambda x: keras.ops.cast(keras.ops.cast(x, "int32"), "float32") / 255, "float32"),
        (lambda x: keras.ops.cast(x // 2, "float32"), "uint8"),  # of floats another function
    ],
)
def test_pixels_of_integers_become_floats(first, dtype):
    inputs = keras.Input(SHAPE, dtype="uint8")
    model = keras.Model(inputs, layers.Conv2D(3, 1)(first(inputs)))
    found = deploy(model)
    assert found.input.dtype == dtype
    pixels = np.random.default_rng(0).integers(0, 256, (2, *SHAPE))
    expected = model(pixels.astype("uint8"), training=False)
    np.testing.assert_allclose(found(pixels.astype(dtype)), expected, rtol=1e-5, atol=1e-5)


LINEAR = {
    "pointwise": lambda: layers.Conv2D(6, 1),
    "strided": lambda: layers.Conv2D(6, 3, strides=2, padding="same", use_bias=False),
    "grouped": lambda: layers.Conv2D(6, 3, groups=2, use_bias=False),
    "depthwise": lambda: layers.DepthwiseConv2D(3, depth_multiplier=2, use_bias=False),
    "dense": lambda: layers.Dense(6),
}


@pytest.mark.parametrize("kind", LINEAR)
def test_a_batch_norm_goes_into_the_layer_before(kind):
    model = network(lambda x: layers.BatchNormalization()(LINEAR[kind]()(x)))
    assert "BatchNormalization" not in after(fold_batch_norms, model)


@pytest.mark.parametrize("options", [dict(scale=False), dict(center=False)])
def test_batch_norms_without_gamma_or_beta(options):
    model = network(lambda x: layers.BatchNormalization(**options)(layers.Conv2D(6, 3)(x)))
    assert after(fold_batch_norms, model) == ["Conv2D"]


@pytest.mark.parametrize("kind", ["pointwise", "grouped", "depthwise", "dense"])
def test_a_batch_norm_goes_into_the_layers_after_else(kind):
    def branches(x):
        x = layers.BatchNormalization()(layers.ReLU()(x))
        return layers.Concatenate()([LINEAR[kind]()(x), LINEAR[kind]()(x)])

    assert "BatchNormalization" not in after(fold_batch_norms, network(branches))


@pytest.mark.parametrize(
    "function",
    [
        lambda x: layers.Conv2D(6, 3, padding="same")(layers.BatchNormalization()(x)),
        lambda x: layers.BatchNormalization()(layers.Conv2D(6, 3, activation="relu")(x)),
        lambda x: layers.BatchNormalization()(layers.ZeroPadding2D()(layers.Conv2D(6, 3)(x))),
        lambda x: layers.BatchNormalization(axis=1)(layers.Conv2D(6, 3)(x)),
        lambda x: [y := layers.Conv2D(4, 1)(x), layers.BatchNormalization()(y) + y][1],
        lambda x: [y := layers.BatchNormalization()(x), layers.Conv2D(4, 1)(y) + y][1],
    ],
    ids=["padding", "activation", "padded", "axis", "before used twice", "after not all linear"],
)
def test_a_batch_norm_that_cannot_be_folded_stays(function):
    assert "BatchNormalization" in after(fold_batch_norms, network(function))


def gate(x, form):
    """Squeeze-and-excitation, with the hard sigmoid written in one way or another."""
    y = layers.GlobalAveragePooling2D(keepdims=True)(x)
    if form == "in the layer":
        return layers.Multiply()([x, layers.Conv2D(4, 1, activation="hard_sigmoid")(y)])
    y = layers.Conv2D(4, 1)(y)
    if form == "operation":
        return x * keras.ops.hard_sigmoid(y)
    if form == "relu6":
        return x * (keras.ops.relu6(y + 3) / 6)
    return x * (layers.ReLU(6.0)(y + 3.0) * (1.0 / 6.0))


FORMS = ["in the layer", "operation", "relu6", "MobileNetV3"]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", LINEAR)
def test_gates(form, kind):
    # Keras' Rescaling, which the step does away with, rounds 1/6 to float32.
    found = after(fold_gates, network(lambda x: LINEAR[kind]()(gate(x, form))), tolerance=1e-6)
    assert "ReLU" in found
    assert not {"Rescaling", "Activation"} & set(found)


@pytest.mark.parametrize("form", FORMS)
def test_a_factor_that_no_layer_takes_stays(form):
    found = after(fold_gates, network(lambda x: layers.Softmax()(gate(x, form))), tolerance=1e-6)
    assert found.count("Rescaling") == 1
    assert "Activation" not in found


def test_a_factor_goes_through_padding_pooling_and_relu():
    def between(x):
        x = layers.MaxPooling2D()(layers.ZeroPadding2D()(layers.ReLU()(gate(x, "operation"))))
        return layers.DepthwiseConv2D(3)(x)

    assert "Rescaling" not in after(fold_gates, network(between), tolerance=1e-6)


def test_hard_swish_stays():
    def swish(x):
        y = layers.Conv2D(4, 1)(x)
        return layers.Conv2D(4, 1)(y * keras.ops.hard_sigmoid(y))

    assert "Activation" in after(fold_gates, network(swish))


@pytest.mark.parametrize("pool", [layers.GlobalAveragePooling2D, layers.GlobalMaxPooling2D])
@pytest.mark.parametrize("keepdims", [False, True])
def test_pooling_of_a_concatenation(pool, keepdims):
    def pooled(x):
        parts = [layers.Conv2D(n, 1)(x) for n in (2, 3)]
        x = pool(keepdims=keepdims)(layers.Concatenate()(parts))
        return layers.Concatenate()([x, x])

    found = after(split_pooling, network(pooled))
    assert found.count(pool.__name__) == 2
    assert found.count("Concatenate") == 2


def test_pooling_of_maps_that_are_needed_anyway_stays():
    def used(x):
        x = layers.Concatenate()([x, layers.ReLU()(x)])
        return x * layers.GlobalAveragePooling2D(keepdims=True)(x)

    assert after(split_pooling, network(used)).count("GlobalAveragePooling2D") == 1


RESHAPES = {
    "features": lambda x: layers.Flatten()(layers.GlobalAveragePooling2D()(x)),
    "head": lambda x: layers.Flatten()(
        layers.ReLU()(layers.Conv2D(5, 1)(layers.GlobalAveragePooling2D(keepdims=True)(x)))
    ),
    "gate": lambda x: layers.Reshape((1, 1, 4))(layers.GlobalAveragePooling2D()(x)) * x,
    "dense": lambda x: layers.Dense(3)(layers.Flatten()(x)),
    "one place": lambda x: layers.Flatten()(layers.Conv2D(5, 8)(x)),
    "operation": lambda x: keras.ops.reshape(layers.Conv2D(5, 8)(x), (-1, 5)),
}


@pytest.mark.parametrize("kind", RESHAPES)
def test_reshapes(kind):
    assert not {"Flatten", "Reshape"} & set(after(remove_reshapes, network(RESHAPES[kind])))


def test_a_flatten_that_something_else_uses_stays():
    assert "Flatten" in after(remove_reshapes, network(lambda x: layers.Flatten()(x)))


def test_slices_of_channels():
    def split(x):
        x = layers.ReLU()(layers.Conv2D(6, 3, use_bias=False)(x) + layers.Conv2D(6, 3)(x))
        a, b = keras.ops.split(x, [2], axis=-1)
        pooled = layers.GlobalAveragePooling2D(keepdims=True)(x)
        return layers.Concatenate()([layers.ReLU()(b) * pooled[..., :4], a])

    found = after(remove_slices, network(split))
    assert found.count("Cropping2D") == 1  # of the pooled features, which no convolution makes
    assert found.count("Conv2D") == 4


@pytest.mark.parametrize(
    "function",
    [
        lambda x: [y := layers.Conv2D(6, 3)(x), y[..., :4] * y[..., 1:5]][1],
        lambda x: [y := layers.Conv2D(6, 3)(x), layers.Concatenate()([y, y[..., :3]])][1],
        lambda x: layers.Conv2D(6, 3, groups=2)(x)[..., 1:],
        lambda x: layers.Conv2D(6, 3)(x)[:, 1:],
    ],
    ids=["overlapping", "whole is used", "grouped", "rows"],
)
def test_slices_that_stay(function):
    assert "Cropping2D" in after(remove_slices, network(function))


@pytest.mark.parametrize(
    "name", sorted({kind.__name__ for kind in KINDS} - keras_layers.UNDEPLOYABLE)
)
def test_identities(name):
    inputs = keras.Input(keras_layers.SHAPE)
    model = keras.Model(inputs, layers.Dense(2)(keras_layers.features(name, inputs)))
    assert name not in after(remove_identities, model)


TAKEN = [3, 0, 0, 2, 1, 3, 2, 2]  # some twice


def select(x):
    return keras.ops.take(x, TAKEN, axis=-1)


SELECTIONS = {
    "before": lambda x: layers.Conv2D(6, 1, groups=2)(select(x)),
    "after": lambda x: select(layers.Conv2D(4, 1, groups=2)(x)),
    "both": lambda x: select(layers.Conv2D(4, 1, groups=4)(select(x))),
    "shuffled after": lambda x: channel_shuffle(layers.Conv2D(6, 1, groups=2)(select(x)), 2, "s"),
    "shuffled before": lambda x: select(layers.Conv2D(4, 1, groups=2)(channel_shuffle(x, 2, "s"))),
    "without groups": lambda x: layers.Conv2D(6, 1, use_bias=False)(select(x)),
}
NO_SELECTIONS = {
    "used elsewhere": lambda x: layers.Concatenate()([y := select(x), layers.Conv2D(6, 1)(y)]),
    "of rows": lambda x: keras.ops.take(layers.Conv2D(4, 1)(x), [1, 0], axis=1),
    "3x3": lambda x: layers.Conv2D(6, 3, groups=2)(select(x)),
    "strided": lambda x: layers.Conv2D(6, 1, strides=2)(select(x)),
    "only a shuffle": lambda x: channel_shuffle(layers.Conv2D(4, 1, groups=2)(x), 2, "s"),
}


@pytest.mark.parametrize("kind", SELECTIONS)
def test_selections(kind):
    assert after(merge_selections, network(SELECTIONS[kind])) == ["Conv2D"]


@pytest.mark.parametrize("kind", NO_SELECTIONS)
def test_what_is_no_selection_stays(kind):
    found = after(merge_selections, network(NO_SELECTIONS[kind]))
    assert "Take" in found or "Permute" in found


@pytest.mark.parametrize(("size", "strides"), [(2, 2), (3, 2), (3, 1), ((2, 3), 1)])
def test_averages(size, strides):
    model = network(lambda x: layers.AveragePooling2D(size, strides)(x))
    assert after(convolve_averages, model) == ["DepthwiseConv2D"]


@pytest.mark.parametrize(
    "options",
    [
        dict(padding="same", pool_size=3),
        dict(pool_size=8),
        dict(pool_size=6, strides=1),
        dict(pool_size=(2, 4)),
    ],
)
def test_averages_that_stay(options):
    model = network(lambda x: layers.AveragePooling2D(**options)(x))
    assert after(convolve_averages, model) == ["AveragePooling2D"]
