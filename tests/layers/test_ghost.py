"""C-GhostNet's layers against the definitions in NumPy."""

import keras
import numpy as np
import pytest

from keras_ghostnet.layers import GhostBottleneck, GhostModule, SqueezeExcite
from tests.layers import reference
from tests.layers.reference import Weights, assert_equal, hard_sigmoid, images, relu


def linear(x):
    return x


def built(layer, x):
    """The layer's random weights and its output for `x`."""
    layer.build(x.shape)
    weights = Weights(layer)
    return weights, layer(x, training=False)


def ghost(x, weights, filters, activation=relu, cheap_kernel_size=3, **primary):
    """The ghost module of the paper's section 3.1."""
    maps = reference.convolve(x, weights.kernel("primary_conv"), **primary)
    maps = activation(weights.bn(maps, "primary_bn"))
    ghosts = reference.depthwise(maps, weights.kernel("cheap_conv"), padding=cheap_kernel_size // 2)
    ghosts = activation(weights.bn(ghosts, "cheap_bn"))
    return np.concatenate([maps, ghosts], axis=-1)[..., :filters]


# ------------------------------------------------------------------------------ GhostModule


@pytest.mark.parametrize("filters", [6, 7])  # odd: one ghost is cut off
@pytest.mark.parametrize(
    "options",
    [
        dict(),
        dict(kernel_size=3),
        dict(kernel_size=5, strides=2),
        dict(kernel_size=3, strides=2, cheap_kernel_size=5),
        dict(kernel_size=3, dilation_rate=2),
        dict(ratio=3),
        dict(ratio=4, kernel_size=3, cheap_kernel_size=1),
    ],
    ids=str,
)
def test_ghost_module_is_the_papers(filters, options):
    x = images(2, 8, 9, 5)
    weights, result = built(GhostModule(filters, dtype="float64", **options), x)
    dilation = options.get("dilation_rate", 1)
    expected = ghost(
        x,
        weights,
        filters,
        cheap_kernel_size=options.get("cheap_kernel_size", 3),
        strides=options.get("strides", 1),
        padding=dilation * (options.get("kernel_size", 1) // 2),
        dilation=dilation,
    )
    assert_equal(result, expected)


@pytest.mark.parametrize(("strides", "dilation"), [(1, 1), (2, 1), (1, 2)])
@pytest.mark.parametrize("kernel_size", [2, 3])
@pytest.mark.parametrize("padding", ["same", "valid"])
def test_primary_convolution_can_be_padded_as_keras_does(padding, kernel_size, strides, dilation):
    x = images(1, 8, 9, 4)
    options = dict(kernel_size=kernel_size, strides=strides, dilation_rate=dilation)
    weights, result = built(GhostModule(6, padding=padding, dtype="float64", **options), x)
    pads = tuple(
        reference.same(size, kernel_size, strides, dilation) if padding == "same" else (0, 0)
        for size in (8, 9)
    )
    assert_equal(result, ghost(x, weights, 6, strides=strides, padding=pads, dilation=dilation))


@pytest.mark.parametrize(
    ("activation", "function"),
    [
        (None, linear),
        ("silu", lambda x: x / (1 + np.exp(-x))),
        ("relu6", lambda x: np.clip(x, 0, 6)),
        ("tanh", np.tanh),
    ],
)
def test_both_halves_have_the_activation(activation, function):
    x = images(2, 5, 5, 4)
    weights, result = built(GhostModule(6, activation=activation, dtype="float64"), x)
    assert_equal(result, ghost(x, weights, 6, activation=function))


def test_ratio_1_is_convolution_batch_norm_and_activation():
    x = images(2, 5, 5, 4)
    weights, result = built(GhostModule(6, kernel_size=3, ratio=1, dtype="float64"), x)
    assert not any("cheap" in path for path in weights)
    maps = reference.convolve(x, weights.kernel("primary_conv"), padding=1)
    assert_equal(result, relu(weights.bn(maps, "primary_bn")))


def test_intrinsic_maps_come_first():
    x = images(2, 5, 5, 4)
    layer = GhostModule(6, dtype="float64")
    _, result = built(layer, x)
    Weights(layer, cheap_conv__kernel=np.zeros((3, 3, 3, 1)))  # ghosts that show no image
    blank = layer(x, training=False)
    assert_equal(blank[..., :3], result[..., :3])
    assert np.ptp(blank[..., :3]) > 0.1
    assert np.ptp(blank[..., 3:], axis=(0, 1, 2)).max() == 0


def test_ghosts_of_one_map_follow_each_other_as_in_pytorch():
    x = images(1, 6, 6, 4)
    layer = GhostModule(9, ratio=3, activation=None, dtype="float64")
    layer.build(x.shape)
    # PyTorch's weight of Conv2d(3, 6, 3, groups=3): output `o` is made of input `o // 2`.
    torch_weight = np.random.default_rng(3).normal(size=(6, 1, 3, 3))
    kernel = torch_weight.reshape(3, 2, 3, 3).transpose(2, 3, 0, 1)
    weights = Weights(layer, cheap_conv__kernel=kernel)
    intrinsic = weights.bn(reference.convolve(x, weights.kernel("primary_conv")), "primary_bn")
    ghosts = [
        reference.convolve(
            intrinsic[..., [output // 2]],
            torch_weight[output].transpose(1, 2, 0)[..., None],
            padding=1,
        )
        for output in range(6)
    ]
    ghosts = weights.bn(np.concatenate(ghosts, axis=-1), "cheap_bn")
    assert_equal(layer(x), np.concatenate([intrinsic, ghosts], axis=-1))


def test_ghost_module_costs_what_the_paper_says():
    layer = GhostModule(128, kernel_size=3, ratio=2)
    layer.build((None, 56, 56, 64))
    kernels = sum(np.prod(weight.shape) for weight in layer.weights if weight.name == "kernel")
    assert kernels == 3 * 3 * 64 * 64 + 3 * 3 * 64  # half of 3 * 3 * 64 * 128, and little more


# ---------------------------------------------------------------------------- SqueezeExcite


def se(x, weights, activation=relu, gate=hard_sigmoid):
    """Squeeze-and-excitation with MobileNetV3's gate."""
    hidden = reference.mean(x) @ weights.kernel("reduce")[0, 0] + weights["reduce/bias"]
    return x * gate(activation(hidden) @ weights.kernel("expand")[0, 0] + weights["expand/bias"])


def test_squeeze_excite_scales_channels_by_a_hard_sigmoid():
    x = images(3, 4, 5, 8)
    weights, result = built(SqueezeExcite(dtype="float64"), x)
    assert_equal(result, se(x, weights))
    gates = np.asarray(result) / x
    assert ((gates > 0.01) & (gates < 0.99)).any()  # or the gate's slope would not matter


def test_squeeze_excite_with_other_activations():
    x = images(2, 4, 5, 8)
    layer = SqueezeExcite(activation="tanh", gate_activation="sigmoid", dtype="float64")
    weights, result = built(layer, x)
    assert_equal(result, se(x, weights, np.tanh, lambda x: 1 / (1 + np.exp(-x))))


@pytest.mark.parametrize(
    ("channels", "ratio", "divisor", "units"),
    [(72, 0.25, 4, 20), (36, 0.25, 4, 12), (8, 0.25, 4, 4), (8, 0.5, 1, 4), (48, 1 / 3, 8, 16)],
)
def test_squeeze_excite_rounds_its_hidden_units(channels, ratio, divisor, units):
    layer = SqueezeExcite(ratio, divisor)
    layer.build((None, 4, 4, channels))
    assert {variable.path.partition("/")[2]: variable.shape for variable in layer.weights} == {
        "reduce/kernel": (1, 1, channels, units),
        "reduce/bias": (units,),
        "expand/kernel": (1, 1, units, channels),
        "expand/bias": (channels,),
    }


# -------------------------------------------------------------------------- GhostBottleneck


def bottleneck(x, weights, expansion, filters, padding=1, strides=1, dilation=1):
    """The bottleneck of the paper's figure 3; what `weights` lacks, it has not."""

    def depthwise(x, name):
        kernel = weights.kernel(f"{name}_conv")
        options = dict(strides=strides, padding=padding, dilation=dilation)
        return weights.bn(reference.depthwise(x, kernel, **options), f"{name}_bn")

    maps = ghost(x, weights.part("ghost1"), expansion)
    if "depthwise_conv/kernel" in weights:
        maps = depthwise(maps, "depthwise")
    if "se/reduce/kernel" in weights:
        maps = se(maps, weights.part("se"))
    maps = ghost(maps, weights.part("ghost2"), filters, activation=linear)
    if "shortcut_conv/kernel" in weights:
        x = depthwise(x, "shortcut_depthwise")
        kernel = weights.kernel("shortcut_conv")
        x = weights.bn(reference.convolve(x, kernel), "shortcut_bn")
    return maps + x


def test_bottleneck_adds_its_input_where_shapes_agree():
    x = images(2, 7, 8, 6)
    weights, result = built(GhostBottleneck(12, 6, dtype="float64"), x)
    assert not any("shortcut" in path or path.startswith("depthwise") for path in weights)
    assert_equal(result, bottleneck(x, weights, 12, 6))


def test_bottleneck_projects_its_input_where_channels_change():
    x = images(2, 7, 8, 6)
    weights, result = built(GhostBottleneck(12, 10, dtype="float64"), x)
    assert "depthwise_conv/kernel" not in weights
    assert_equal(result, bottleneck(x, weights, 12, 10))


@pytest.mark.parametrize("size", [(8, 8), (9, 9), (8, 9)])
@pytest.mark.parametrize("kernel_size", [3, 5])
def test_bottleneck_at_stride_2_pads_symmetrically(size, kernel_size):
    x = images(2, *size, 6)
    layer = GhostBottleneck(12, 6, kernel_size, strides=2, se_ratio=0.25, dtype="float64")
    weights, result = built(layer, x)
    assert_equal(result, bottleneck(x, weights, 12, 6, padding=kernel_size // 2, strides=2))


def test_bottleneck_can_pad_as_keras_does():
    x = images(2, 8, 9, 6)
    layer = GhostBottleneck(12, 6, strides=2, padding="same", dtype="float64")
    weights, result = built(layer, x)
    pads = (reference.same(8, 3, 2), reference.same(9, 3, 2))
    assert pads == ((0, 1), (1, 1))
    assert_equal(result, bottleneck(x, weights, 12, 6, padding=pads, strides=2))


def test_dilated_bottleneck_keeps_its_size():
    x = images(2, 8, 9, 6)
    layer = GhostBottleneck(12, 6, kernel_size=5, dilation_rate=2, dtype="float64")
    weights, result = built(layer, x)
    assert_equal(result, bottleneck(x, weights, 12, 6, padding=4, dilation=2))
    assert result.shape == x.shape


def test_dilated_bottleneck_takes_the_weights_of_the_strided_one():
    """Networks that keep their resolution replace strides by dilation, after training."""
    strided = GhostBottleneck(12, 10, strides=2)
    kept = GhostBottleneck(12, 10, dilation_rate=2)
    for layer in (strided, kept):
        layer.build((None, 9, 9, 6))
    shapes = [
        {weight.path.partition("/")[2]: weight.shape for weight in layer.weights}
        for layer in (strided, kept)
    ]
    assert shapes[0] == shapes[1]


def test_activation_is_that_of_the_first_module_and_of_the_hidden_units():
    x = images(2, 7, 8, 6)
    layer = GhostBottleneck(12, 6, se_ratio=0.25, activation="tanh", dtype="float64")
    weights, result = built(layer, x)
    maps = ghost(x, weights.part("ghost1"), 12, activation=np.tanh)
    maps = se(maps, weights.part("se"), activation=np.tanh)
    assert_equal(result, x + ghost(maps, weights.part("ghost2"), 6, activation=linear))


# --------------------------------------------------------------------------- bad arguments


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(filters=0), "`filters` must be a positive integer, at most 65536.*filters=0"),
        (dict(filters=-2), "`filters`.*filters=-2"),
        (dict(filters=4.0), r"`filters`.*filters=4\.0"),
        (dict(filters=True), "`filters`.*filters=True"),
        (dict(kernel_size=0), "`kernel_size`.*kernel_size=0"),
        (dict(kernel_size=(3, 3)), r"`kernel_size`.*kernel_size=\(3, 3\)"),
        (dict(kernel_size=2), "odd `kernel_size`. Received: kernel_size=2"),
        (dict(cheap_kernel_size=4), "odd `cheap_kernel_size`. Received: cheap_kernel_size=4"),
        (dict(ratio=0), "`ratio`.*ratio=0"),
        (dict(ratio=1.5), r"`ratio`.*ratio=1\.5"),
        (dict(strides=0), "`strides`.*strides=0"),
        (dict(dilation_rate=0), "`dilation_rate`.*dilation_rate=0"),
        (dict(strides=2, dilation_rate=2), "both be above 1. Received: strides=2, dilation_rate=2"),
        (dict(padding="full"), "`padding` must be one of.*padding='full'"),
        (dict(data_format="NHWC"), "`data_format`.*data_format='NHWC'"),
        (dict(data_format=0), "`data_format`.*data_format=0"),
        (dict(data_format=""), "`data_format`.*data_format=''"),
        (dict(ratio=10**9), "`ratio` must be a positive integer, at most 1024.*ratio=1000000000"),
        (dict(filters=10**9), "`filters`.*at most 65536.*filters=1000000000"),
        (dict(dilation_rate=10**9), "`dilation_rate`.*at most 1024"),
        (dict(activation="rleu"), "rleu"),
    ],
    ids=str,
)
def test_ghost_module_refuses(options, message):
    with pytest.raises(ValueError, match=message):
        GhostModule(**{"filters": 8, **options})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(ratio=0), "SqueezeExcite: `ratio` must be positive, at most 64. Received: ratio=0"),
        (dict(ratio=-0.25), r"`ratio`.*ratio=-0\.25"),
        (dict(ratio=float("nan")), "`ratio`.*ratio=nan"),
        (dict(ratio=float("inf")), "`ratio`.*ratio=inf"),
        (dict(ratio=10**9), "`ratio`.*ratio=1000000000"),
        (dict(divisor=0), "`divisor`.*divisor=0"),
        (dict(divisor=10**9), "`divisor`.*at most 65536"),
        (dict(divisor=4.5), r"`divisor`.*divisor=4\.5"),
        (dict(gate_activation="sigmiod"), "sigmiod"),
    ],
    ids=str,
)
def test_squeeze_excite_refuses(options, message):
    with pytest.raises(ValueError, match=message):
        SqueezeExcite(**options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(expansion=0), "GhostBottleneck: `expansion`.*expansion=0"),
        (dict(filters=0), "GhostBottleneck: `filters`.*filters=0"),
        (dict(kernel_size=4), "odd `kernel_size`. Received: kernel_size=4"),
        (dict(strides=-1), "`strides`.*strides=-1"),
        (dict(se_ratio=-0.25), r"`se_ratio` must be a number, 0 or more.*se_ratio=-0\.25"),
        (dict(ratio=0), "`ratio`.*ratio=0"),
        (dict(cheap_kernel_size=2), "odd `cheap_kernel_size`"),
        (dict(padding="valid"), "`padding` must be one of.*padding='valid'"),
        (dict(strides=2, dilation_rate=2), "both be above 1"),
    ],
    ids=str,
)
def test_bottleneck_refuses(options, message):
    with pytest.raises(ValueError, match=message):
        GhostBottleneck(**{"expansion": 8, "filters": 4, **options})


def test_layers_with_weights_are_no_activations():
    with pytest.raises(ValueError, match="not a layer with weights of its own"):
        GhostModule(8, activation=keras.layers.PReLU())


def test_drop_path_leaves_the_shortcut_of_some_examples_and_scales_the_others():
    layer = GhostBottleneck(expansion=12, filters=8, drop_path=0.25)
    x = keras.random.normal((400, 2, 2, 8), seed=0)
    changes = np.asarray(layer(x, training=True) - x)
    modules = x
    for part in layer.residual[:-1]:
        modules = part(modules, training=True)
    is_dropped = ~changes.any(axis=(1, 2, 3))
    assert is_dropped.mean() == pytest.approx(0.25, abs=0.08)
    kept = np.asarray(modules)[~is_dropped]
    np.testing.assert_allclose(0.75 * changes[~is_dropped], kept, atol=1e-4)


@pytest.mark.parametrize("rate", [1, -0.1, "0.5"])
def test_drop_path_out_of_range(rate):
    with pytest.raises(ValueError, match=r"`drop_path` must be a number in \[0, 1\)"):
        GhostBottleneck(expansion=12, filters=8, drop_path=rate)
