"""ShuffleNetV1 and V2: the shuffle and the blocks against NumPy."""

import keras
import numpy as np
import pytest

from keras_ghostnet.benchmark.networks import shufflenet_v1
from keras_ghostnet.benchmark.networks.catalog import build_network
from keras_ghostnet.benchmark.networks.shuffle import channel_shuffle, shuffled_halves
from keras_ghostnet.layers import GroupedConv2D
from tests.benchmark.networks.units import random_unit, shuffled
from tests.keras_state import image_data_format
from tests.layers import reference
from tests.layers.reference import assert_equal

SIZE = 64


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize("groups", [2, 3, 4])
def test_shuffle_takes_one_channel_of_every_group_in_turn(groups, data_format):
    axis = -1 if data_format == "channels_last" else 1
    x = np.arange(2 * 3 * 5 * 12, dtype="float32").reshape(2, 3, 5, 12)
    expected = np.moveaxis(shuffled(x, groups), -1, axis)
    with image_data_format(data_format):
        maps = keras.Input(np.moveaxis(x, -1, axis).shape[1:])
        model = keras.Model(maps, channel_shuffle(maps, groups, "shuffle"))
        np.testing.assert_array_equal(model(np.moveaxis(x, -1, axis)), expected)


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_halves_are_those_of_the_shuffled_channels(data_format):
    axis = -1 if data_format == "channels_last" else 1
    x = np.arange(2 * 3 * 5 * 12, dtype="float32").reshape(2, 3, 5, 12)
    with image_data_format(data_format):
        maps = keras.Input(np.moveaxis(x, -1, axis).shape[1:])
        model = keras.Model(maps, shuffled_halves(maps, "shuffle"))
        halves = [np.moveaxis(half, axis, -1) for half in model(np.moveaxis(x, -1, axis))]
    np.testing.assert_array_equal(np.concatenate(halves, -1), shuffled(x, 2))


@pytest.mark.parametrize(("stride", "groups"), [(1, 3), (2, 3), (2, 1)])
def test_unit_of_v1(stride, groups):
    output = 24 if stride == 1 else 36
    model, weights, x = random_unit(
        lambda maps: shufflenet_v1.unit(maps, output, stride, groups, "unit"), (6, 6, 24)
    )
    y = reference.convolve(x, weights.kernel("unit_reduce_conv"), groups=groups)
    y = reference.relu(weights.bn(y, "unit_reduce_bn"))
    y = reference.depthwise(y, weights.kernel("unit_depthwise_conv"), strides=stride, padding=1)
    y = weights.bn(y, "unit_depthwise_bn")
    # The authors reshape to (a third, 3), the other way round: every group gets of every group.
    y = shuffled(y, y.shape[-1] // 3)
    y = reference.convolve(y, weights.kernel("unit_expand_conv"), groups=3)
    y = weights.bn(y, "unit_expand_bn")
    if stride == 1:
        expected = reference.relu(x + y)
    else:
        ninths = np.full((3, 3, 24, 1), 1 / 9)
        pooled = reference.depthwise(x, ninths, strides=2, padding=1)
        expected = np.concatenate([pooled, reference.relu(y)], -1)
    assert_equal(model(x), expected)


def test_groups_of_v1_start_with_the_second_block():
    model = build_network("shufflenet_v1_g3_100", SIZE)
    grouped = {layer.name for layer in model.layers if isinstance(layer, GroupedConv2D)}
    assert len(grouped) == 2 * 16 - 1
    assert "stage2_block1_reduce_conv" not in grouped
