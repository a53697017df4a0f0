"""G-GhostNet's layers against the definitions in NumPy."""

import numpy as np
import pytest

from keras_ghostnet.layers import GGhostStage, RegNetBlock
from tests.layers import reference
from tests.layers.reference import Weights, assert_equal, images, relu


def built(layer, x):
    """The layer's random weights and its output for `x`."""
    layer.build(x.shape)
    weights = Weights(layer)
    return weights, layer(x, training=False)


def pointwise(x, weights, conv, bn, strides=1):
    """1x1 convolution and batch norm."""
    maps = reference.convolve(x, weights.kernel(conv), strides=strides)
    return weights.bn(maps, bn)


def block(x, weights, filters, group_width, strides=1, dilation=1, activation=relu):
    """RegNet's X block; the groups are convolutions of their own, side by side."""
    maps = activation(pointwise(x, weights, "conv1", "bn1"))
    kernel = weights.kernel("conv2")
    width = min(filters, group_width)
    groups = [
        reference.convolve(
            maps[..., first : first + width],
            kernel[..., first : first + width],
            strides=strides,
            padding=dilation,
            dilation=dilation,
        )
        for first in range(0, filters, width)
    ]
    maps = activation(weights.bn(np.concatenate(groups, axis=-1), "bn2"))
    maps = pointwise(maps, weights, "conv3", "bn3")
    if "shortcut_conv/kernel" in weights:
        x = pointwise(x, weights, "shortcut_conv", "shortcut_bn", strides)
    return activation(maps + x)


def stage(x, weights, filters, depth, group_width, strides=2):
    """The G-Ghost stage of the paper's section 4.2."""
    raw_group = int(0.75 * group_width)
    raw_width = filters // 2 // raw_group * raw_group
    base = block(x, weights.part("base"), filters, group_width, strides)
    raw, cheap = base[..., :raw_width], base[..., raw_width:]
    outputs = [base]
    for number in range(1, depth - 1):
        raw = block(raw, weights.part(f"raw{number}"), raw_width, raw_group)
        outputs.append(raw)
    # As the paper has it: pooled after the concatenation.
    mix = reference.mean(np.concatenate(outputs, axis=-1))
    mix = relu(pointwise(mix, weights, "mix_conv1", "mix_bn1"))
    mix = pointwise(mix, weights, "mix_conv2", "mix_bn2")
    cheap = relu(pointwise(cheap, weights, "cheap_conv", "cheap_bn") + mix)
    both = np.concatenate([raw, cheap], axis=-1)
    return block(both, weights.part("end"), filters, group_width)


# ------------------------------------------------------------------------------ RegNetBlock


@pytest.mark.parametrize("group_width", [2, 4, 8, 100])  # 100: one group
def test_block_convolves_its_groups_separately(group_width):
    x = images(2, 7, 8, 8)
    weights, result = built(RegNetBlock(8, group_width, dtype="float64"), x)
    assert weights.kernel("conv2").shape == (3, 3, min(group_width, 8), 8)
    assert not any("shortcut" in path for path in weights)
    assert_equal(result, block(x, weights, 8, group_width))


def test_block_projects_its_input_where_channels_change():
    x = images(2, 7, 8, 6)
    weights, result = built(RegNetBlock(8, 4, dtype="float64"), x)
    assert_equal(result, block(x, weights, 8, 4))


@pytest.mark.parametrize("size", [(8, 8), (9, 9), (8, 9)])
def test_block_at_stride_2_pads_symmetrically_and_projects(size):
    x = images(2, *size, 8)
    weights, result = built(RegNetBlock(8, 4, strides=2, dtype="float64"), x)
    assert "shortcut_conv/kernel" in weights
    assert_equal(result, block(x, weights, 8, 4, strides=2))


def test_dilated_block_keeps_its_size():
    x = images(2, 8, 9, 8)
    weights, result = built(RegNetBlock(8, 4, dilation_rate=2, dtype="float64"), x)
    assert_equal(result, block(x, weights, 8, 4, dilation=2))
    assert result.shape == x.shape


def test_block_with_another_activation():
    x = images(2, 5, 5, 8)
    weights, result = built(RegNetBlock(8, 4, activation="tanh", dtype="float64"), x)
    assert_equal(result, block(x, weights, 8, 4, activation=np.tanh))


# ------------------------------------------------------------------------------ GGhostStage


@pytest.mark.parametrize(
    ("filters", "depth", "group_width", "strides"),
    [
        (16, 3, 4, 2),  # one raw block
        (16, 5, 4, 1),
        (24, 4, 8, 2),
        (20, 3, 4, 2),  # raw 9, cheap 11: halves are not equal
        (12, 4, 6, 2),  # raw 4: one group
    ],
)
def test_stage_is_the_papers(filters, depth, group_width, strides):
    x = images(2, 9, 8, 6)
    layer = GGhostStage(filters, depth, group_width, strides, dtype="float64")
    weights, result = built(layer, x)
    assert_equal(result, stage(x, weights, filters, depth, group_width, strides))


@pytest.mark.parametrize(
    ("filters", "group_width", "raw", "cheap"),
    [(152, 8, 72, 80), (368, 8, 180, 188), (432, 48, 216, 216), (784, 56, 378, 406)],
)
def test_stage_is_split_into_whole_groups(filters, group_width, raw, cheap):
    layer = GGhostStage(filters, 3, group_width)
    assert (layer.raw_width, layer.cheap_width) == (raw, cheap)
    layer.build((None, 8, 8, 16))
    shapes = {weight.path.partition("/")[2]: weight.shape for weight in layer.weights}
    assert shapes["raw1/conv1/kernel"] == (1, 1, raw, raw)
    assert shapes["cheap_conv/kernel"] == (1, 1, cheap, cheap)
    assert shapes["mix_conv1/kernel"] == (1, 1, filters + raw, cheap)


def test_raw_half_comes_first():
    x = images(1, 8, 8, 6)
    layer = GGhostStage(16, 3, 4, dtype="float64")
    layer.build(x.shape)
    # An end that returns its input: the residual is 0, the shortcut the identity.
    weights = Weights(layer, end__bn3__gamma=np.zeros(16), end__bn3__beta=np.zeros(16))
    base = block(x, weights.part("base"), 16, 4, 2)
    raw = block(base[..., : layer.raw_width], weights.part("raw1"), layer.raw_width, 3)
    assert_equal(layer(x)[..., : layer.raw_width], raw)


# --------------------------------------------------------------------------- bad arguments


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(filters=0), "RegNetBlock: `filters`.*filters=0"),
        (dict(group_width=0), "`group_width`.*group_width=0"),
        (dict(group_width=3), "must divide `filters`. Received: filters=8, group_width=3"),
        (dict(strides=0), "`strides`.*strides=0"),
        (dict(strides=(2, 2)), r"`strides`.*strides=\(2, 2\)"),
        (dict(dilation_rate=-1), "`dilation_rate`.*dilation_rate=-1"),
        (dict(strides=2, dilation_rate=2), "both be above 1. Received: strides=2, dilation_rate=2"),
        (dict(data_format="last"), "`data_format`.*data_format='last'"),
    ],
    ids=str,
)
def test_block_refuses(options, message):
    with pytest.raises(ValueError, match=message):
        RegNetBlock(**{"filters": 8, "group_width": 4, **options})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(filters=-1), "GGhostStage: `filters`.*filters=-1"),
        (dict(depth=0), "`depth`.*depth=0"),
        (dict(depth=10**9), "`depth`.*at most 1024"),
        (dict(depth=2), "`depth` must be at least 3.*depth=2"),
        (dict(group_width=True), "`group_width`.*group_width=True"),
        (dict(group_width=1), "too few channels to split.*filters=16, group_width=1"),
        (dict(filters=4, group_width=4), "too few channels to split.*filters=4, group_width=4"),
        (dict(filters=18), "must divide `filters`. Received: filters=18, group_width=4"),
        (dict(strides=0), "`strides`.*strides=0"),
    ],
    ids=str,
)
def test_stage_refuses(options, message):
    with pytest.raises(ValueError, match=message):
        GGhostStage(**{"filters": 16, "depth": 3, "group_width": 4, **options})


def test_one_image_of_as_many_columns_as_channels():
    stage = GGhostStage(8, depth=3, group_width=4, strides=1, data_format="channels_first")
    maps = images(2, 8, stage.cheap_width, stage.cheap_width).astype("float32")
    both = np.array(stage(maps))
    np.testing.assert_allclose(stage(maps[:1]), both[:1], atol=1e-5)
