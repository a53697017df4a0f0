"""The layers of GhostNetV2, GhostNetV3 and RepGhost against the definitions in NumPy."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_ghostnet.layers import (
    DFCAttention,
    GhostBottleneck,
    GhostModule,
    RepConv2D,
    RepGhostModule,
)
from tests.layers import reference
from tests.layers.reference import Weights, assert_equal, images, relu


def built(layer, x):
    """The layer's random weights and its output for `x`."""
    layer.build(x.shape)
    weights = Weights(layer)
    return weights, layer(x, training=False)


def attention(x, weights):
    """DFC attention, upsampled as torch's nearest interpolation: pixel `floor(i * in / out)`."""
    batch, height, width, channels = x.shape
    rows, columns = height // 2, width // 2
    cells = x[:, : 2 * rows, : 2 * columns].reshape(batch, rows, 2, columns, 2, channels)
    maps = reference.convolve(cells.mean(axis=(2, 4)), weights.kernel("conv"))
    maps = weights.bn(maps, "bn")
    for name, padding in (("horizontal", ((0, 0), (2, 2))), ("vertical", ((2, 2), (0, 0)))):
        maps = reference.depthwise(maps, weights.kernel(f"{name}_conv"), padding=padding)
        maps = weights.bn(maps, f"{name}_bn")
    gate = 1 / (1 + np.exp(-maps))
    gate = gate[:, np.arange(height) * rows // height]
    return gate[:, :, np.arange(width) * columns // width]


@pytest.mark.parametrize("size", [(7, 7), (8, 6), (2, 3), (9, 14), (3, 15)])
def test_attention_is_torchs_at_any_size(size):
    x = images(2, *size, 5)
    weights, result = built(DFCAttention(6, dtype="float64"), x)
    assert_equal(result, attention(x, weights))


def test_attention_of_sizes_that_are_known_at_run_time_alone():
    layer = DFCAttention(6, dtype="float64")
    weights, _ = built(layer, images(1, 8, 8, 5))
    run = tf.function(layer, input_signature=[tf.TensorSpec((None, None, None, 5), "float64")])
    for size in ((7, 8), (4, 11)):
        x = images(2, *size, 5)
        assert_equal(run(x), attention(x, weights))


@pytest.mark.parametrize("shape", [(None, 1, 8, 4), (None, 8, 1, 4)])
def test_attention_needs_two_pixels(shape):
    with pytest.raises(ValueError, match="height and width must be at least 2"):
        DFCAttention(4).build(shape)


def branches(x, weights, size, count, **options):
    """The sum of so many convolutions, and of a 1x1 convolution and a batch norm if there are."""
    total = 0
    for number in range(1, count + 1):
        kernel = weights.kernel(f"conv{number}")
        maps = reference.depthwise(x, kernel, padding=size // 2, **options)
        total = total + weights.bn(maps, f"bn{number}")
    if "pointwise_conv/kernel" in weights:
        maps = reference.depthwise(x, weights.kernel("pointwise_conv"), **options)
        total = total + weights.bn(maps, "pointwise_bn")
    return total + (weights.bn(x, "skip_bn") if "skip_bn/gamma" in weights else 0)


@pytest.mark.parametrize(
    ("size", "options"),
    [
        (3, dict(branches=3, pointwise=True, skip=True)),
        (5, dict(branches=2, pointwise=True, strides=2)),
        (3, dict(branches=1, skip=True)),
    ],
)
def test_branches_are_summed(size, options):
    x = images(2, 8, 9, 4)
    weights, result = built(RepConv2D(None, size, dtype="float64", **options), x)
    strides = options.get("strides", 1)
    assert_equal(result, branches(x, weights, size, options["branches"], strides=strides))


def test_branches_and_attention_of_a_ghost_module():
    x = images(2, 7, 8, 5)
    weights, result = built(GhostModule(6, attention=True, branches=2, dtype="float64"), x)
    primary, total = weights.part("primary_conv"), 0
    for number in (1, 2):
        maps = reference.convolve(x, primary.kernel(f"conv{number}"))
        total = total + primary.bn(maps, f"bn{number}")
    maps = relu(total)
    ghosts = relu(branches(maps, weights.part("cheap_conv"), 3, 2))
    gate = attention(x, weights.part("attention"))
    assert_equal(result, np.concatenate([maps, ghosts], axis=-1) * gate)


@pytest.mark.parametrize("activation", ["relu", None])
def test_rep_ghost_module(activation):
    x = images(2, 8, 9, 5)
    weights, result = built(RepGhostModule(6, activation=activation, dtype="float64"), x)
    function = relu if activation else lambda maps: maps
    maps = reference.convolve(x, weights.kernel("primary_conv"))
    maps = function(weights.bn(maps, "primary_bn"))
    assert_equal(result, function(branches(maps, weights.part("cheap_conv"), 3, 1)))


def test_folded_layers_have_biases_and_no_batch_norms():
    layer = GhostBottleneck(12, 6, strides=2, attention=True, branches=0)
    layer.build((None, 8, 8, 4))
    assert {weight.name for weight in layer.weights} == {"kernel", "bias"}
    assert keras.layers.deserialize(keras.layers.serialize(layer)).branches == 0


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (lambda: GhostModule(4, branches=-1), "`branches` must be a positive integer"),
        (lambda: GhostModule(4, branches=True), "`branches` must be a positive integer"),
        (lambda: GhostModule(4, attention=True, strides=2), "`attention` needs .*strides=1"),
        (lambda: GhostModule(4, 3, attention=True, padding="valid"), "`attention` needs"),
        (lambda: RepConv2D(4, branches=0), "`branches` must be a positive integer"),
        (lambda: RepConv2D(4, 2), "symmetric padding needs an odd `kernel_size`"),
        (lambda: RepConv2D(4, skip=True).build((None, 8, 8, 5)), "Leave out `skip`, or the str"),
        (lambda: RepGhostModule(0), "`filters` must be a positive integer"),
        (lambda: DFCAttention("8"), "`filters` must be a positive integer"),
    ],
)
def test_wrong_arguments_are_refused(layer, message):
    with pytest.raises(ValueError, match=message):
        layer()
