"""The package's convolutions against Keras' own and against NumPy."""

import os
import pathlib
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_ghostnet.export.graph import deploy, for_tracing
from keras_ghostnet.layers import GroupedConv2D
from keras_ghostnet.layers.convolution import batch_norm, convolution, kernel_initializer
from tests.layers import grouped, reference
from tests.layers.reference import Weights, assert_equal, images

ROOT = pathlib.Path(__file__).parents[2]
OPTIONS = dict(data_format="channels_last", dtype="float64")


def apply(layers, x):
    for layer in layers:
        x = layer(x)
    return x


# ----------------------------------------------------------------------- symmetric padding


@pytest.mark.parametrize("size", [(8, 8), (9, 9), (8, 9), (11, 6)])
@pytest.mark.parametrize("kernel_size", [1, 3, 5])
@pytest.mark.parametrize("strides", [1, 2, 3])
def test_symmetric_padding_is_the_same_on_all_sides(size, kernel_size, strides):
    x = images(2, *size, 4)
    layers = convolution(6, kernel_size, "conv", strides=strides, **OPTIONS)
    result = apply(layers, x)
    kernel = np.asarray(layers[-1].kernel)
    expected = reference.convolve(x, kernel, strides=strides, padding=kernel_size // 2)
    assert_equal(result, expected)


@pytest.mark.parametrize("strides", [1, 2])
@pytest.mark.parametrize("size", [8, 9])
def test_symmetric_padding_of_depthwise_convolutions(size, strides):
    x = images(2, size, size, 4)
    layers = convolution(None, 5, "conv", strides=strides, **OPTIONS)
    result = apply(layers, x)
    expected = reference.depthwise(x, np.asarray(layers[-1].kernel), strides=strides, padding=2)
    assert_equal(result, expected)


@pytest.mark.parametrize("dilation", [2, 3])
def test_symmetric_padding_grows_with_the_dilation(dilation):
    x = images(1, 9, 8, 4)
    layers = convolution(6, 3, "conv", dilation_rate=dilation, **OPTIONS)
    result = apply(layers, x)
    kernel = np.asarray(layers[-1].kernel)
    expected = reference.convolve(x, kernel, padding=dilation, dilation=dilation)
    assert_equal(result, expected)


def test_padding_same_is_keras_own():
    x = images(1, 8, 8, 4)
    (layer,) = convolution(6, 3, "conv", strides=2, padding="same", **OPTIONS)
    result = layer(x)
    pads = reference.same(8, 3, strides=2)
    assert pads == (0, 1)  # which symmetric padding is not
    expected = reference.convolve(x, np.asarray(layer.kernel), strides=2, padding=(pads, pads))
    assert_equal(result, expected)


def test_padding_is_a_layer_only_where_keras_same_would_differ():
    names = {
        (kernel_size, strides): [
            layer.name
            for layer in convolution(4, kernel_size, "primary_conv", strides=strides, **OPTIONS)
        ]
        for kernel_size in (1, 3)
        for strides in (1, 2)
    }
    assert names == {
        (1, 1): ["primary_conv"],
        (1, 2): ["primary_conv"],
        (3, 1): ["primary_conv"],
        (3, 2): ["primary_pad", "primary_conv"],
    }


# ---------------------------------------------------------------------------- conventions


def test_batch_norm_has_the_conventions_of_the_checkpoints():
    layer = batch_norm("bn", **OPTIONS)
    x = images(64, 2, 2, 3, seed=5)
    layer.build(x.shape)
    weights = Weights(layer)
    value = {name: weights[f"{name}"] for name in weights}
    scale = value["gamma"] / np.sqrt(value["moving_variance"] + 1e-5)
    expected = (x - value["moving_mean"]) * scale + value["beta"]
    assert_equal(layer(x, training=False), expected)
    layer(x, training=True)
    moved = 0.9 * value["moving_mean"] + 0.1 * x.mean(axis=(0, 1, 2))
    assert_equal(layer.moving_mean, moved)


def test_kernels_start_with_the_variance_of_he_over_the_outputs():
    keras.utils.set_random_seed(0)
    kernel = np.asarray(kernel_initializer()((3, 3, 64, 128)))
    assert kernel.std() == pytest.approx(np.sqrt(2 / (3 * 3 * 128)), rel=0.01)
    assert abs(kernel.mean()) < 0.01 * kernel.std()


def test_two_layers_of_equal_shape_start_with_different_values():
    (first,), (second,) = (convolution(4, 1, "conv", **OPTIONS) for _ in range(2))
    for layer in (first, second):
        layer.build((1, 4, 4, 4))
    assert not np.allclose(first.kernel, second.kernel)


# ------------------------------------------------------------------------------- groups


@pytest.fixture(params=[1, 2, 4], ids=lambda groups: f"groups={groups}")
def pair(request):
    """Ours and Keras' own convolution, with the same weights."""
    arguments = dict(filters=8, kernel_size=3, strides=2, groups=request.param, activation="tanh")
    ours, stock = GroupedConv2D(**arguments), keras.layers.Conv2D(**arguments)
    for layer in (ours, stock):
        layer.build((None, 9, 9, 8))
        Weights(layer)
    return ours, stock


def test_grouped_convolution_equals_keras_own(pair):
    ours, stock = pair
    x = images(2, 9, 9, 8).astype("float32")
    np.testing.assert_allclose(ours(x), stock(x), rtol=1e-5, atol=1e-5)


def test_gradients_of_grouped_convolution_equal_keras_own(pair):
    x = tf.constant(images(2, 9, 9, 8), "float32")
    gradients = []
    for layer in pair:
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.reduce_sum(layer(x) ** 2)
        gradients.append(tape.gradient(loss, [x, layer.kernel.value, layer.bias.value]))
    for ours, stock in zip(*gradients, strict=True):
        np.testing.assert_allclose(ours, stock, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("padding", "dilation", "pads"),
    [("valid", 1, (0, 0)), ("same", 1, (1, 1)), ("same", 2, (2, 2)), ("valid", 2, (0, 0))],
)
def test_groups_are_separate_convolutions_side_by_side(padding, dilation, pads):
    x = images(2, 9, 9, 6)
    layer = GroupedConv2D(
        4, 3, groups=2, padding=padding, dilation_rate=dilation, dtype="float64", use_bias=False
    )
    result = layer(x)
    kernel = np.asarray(layer.kernel)
    halves = [
        reference.convolve(
            x[..., 3 * half : 3 * half + 3],
            kernel[..., 2 * half : 2 * half + 2],
            padding=(pads, pads),
            dilation=dilation,
        )
        for half in (0, 1)
    ]
    assert_equal(result, np.concatenate(halves, axis=-1))


def xla_calls(layer):
    """Calls of functions that XLA has to compile, within the graph of a layer."""
    function = tf.function(layer).get_concrete_function(tf.TensorSpec((1, 9, 9, 8)))
    definition = function.graph.as_graph_def()
    compiled = {
        inner.signature.name
        for inner in definition.library.function
        if inner.attr["_XlaMustCompile"].b
    }
    nodes = [*definition.node, *(n for f in definition.library.function for n in f.node_def)]
    return [
        node.name
        for node in nodes
        if "PartitionedCall" in node.op
        and (node.attr["_XlaMustCompile"].b or node.attr["f"].func.name in compiled)
    ]


def test_grouped_convolution_needs_no_xla(pair):
    ours, stock = pair
    assert xla_calls(ours) == []
    if stock.groups > 1:  # or this test would not notice one
        assert xla_calls(stock) != []


def test_groups_that_do_not_divide_the_channels_are_refused():
    with pytest.raises(ValueError, match="groups"):
        GroupedConv2D(7, 3, groups=2)
    with pytest.raises(ValueError, match="groups"):
        GroupedConv2D(4, 3, groups=2)(images(1, 4, 4, 3))


# float32's and float64's gradients, bias
TOLERANCES = (1e-5, 1e-12, 1e-5)


def test_grouped_convolution_in_a_graph():
    """TensorFlow's own op has no gradient in float64 on a CPU."""
    errors = (
        grouped.gradient_error("float32"),
        grouped.gradient_error("float64"),
        grouped.bias_error(),
    )
    assert np.less(errors, TOLERANCES).all(), errors


def test_grouped_convolution_in_a_graph_without_onednn():
    """As on some ARM builds: no gradient in any type, no kernel of convolution and bias."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.layers.grouped"],
        env={**os.environ, "TF_ENABLE_ONEDNN_OPTS": "0"},
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    errors = [float(error) for error in done.stdout.split()]
    assert np.less(errors, TOLERANCES).all(), errors


@pytest.mark.parametrize("filters", [8, None])
def test_a_bias_is_added_to_the_channels_of_square_maps_too(filters):
    # Keras' own layers take the last axis of 8 pixels for that of the 8 channels.
    part = dict(kernel_size=3, name="conv", use_bias=True)
    (first,) = convolution(filters, data_format="channels_first", **part)
    (last,) = convolution(filters, data_format="channels_last", **part)
    maps = np.random.default_rng(0).normal(size=(2, 8, 8, 8)).astype("float32")
    last.build(maps.shape)
    last.set_weights([*last.get_weights()[:1], np.arange(8)])
    expected = np.moveaxis(keras.ops.convert_to_numpy(last(maps)), -1, 1)
    first.build(maps.shape)
    first.set_weights(last.get_weights())
    np.testing.assert_allclose(first(np.moveaxis(maps, -1, 1)), expected, atol=1e-5)

    inputs = keras.Input((8, 8, 8))
    kind = keras.layers.DepthwiseConv2D if filters is None else keras.layers.Conv2D
    stock = keras.Model(inputs, kind.from_config(first.get_config())(inputs))
    stock.set_weights(first.get_weights())
    np.testing.assert_allclose(for_tracing(stock)(np.moveaxis(maps, -1, 1)), expected, atol=1e-5)


@pytest.mark.parametrize("width", [8, None])
@pytest.mark.parametrize(
    ("kind", "filters"),
    [
        (keras.layers.Conv2D, 8),
        (keras.layers.Conv2DTranspose, 8),
        (keras.layers.DepthwiseConv2D, None),
        (keras.layers.SeparableConv2D, 8),
        (keras.layers.Conv1D, 8),
    ],
)
def test_deployed_stock_layers_add_their_biases_to_the_channels(kind, filters, width):
    rank = 1 if kind is keras.layers.Conv1D else 2
    options = dict(kernel_size=3, padding="same", activation="relu", name="conv")
    options |= {} if filters is None else {"filters": filters}
    networks = []
    for data_format in ("channels_last", "channels_first"):
        sides = (width,) * rank
        inputs = keras.Input((*sides, 8) if data_format == "channels_last" else (8, *sides))
        layer = kind(data_format=data_format, **options)
        networks.append(keras.Model(inputs, layer(inputs)))
        *kernels, _ = layer.get_weights()
        layer.set_weights([*kernels, np.arange(8.0) - 3])
    last, first = networks
    first.set_weights(last.get_weights())
    maps = np.random.default_rng(0).normal(size=(2, *[8] * rank, 8)).astype("float32")
    expected = np.moveaxis(last(maps), -1, 1)
    deployed = deploy(first)
    np.testing.assert_allclose(deployed(np.moveaxis(maps, -1, 1)), expected, atol=1e-5)
    assert {type(layer).__module__.split(".")[0] for layer in deployed.layers} == {"keras"}
