"""CondenseNetV2-A and FE-Net: their layers against NumPy."""

import numpy as np
import pytest

import keras_ghostnet
from keras_ghostnet.benchmark.networks import condensenet_v2, fe_net
from keras_ghostnet.benchmark.networks.catalog import build_network
from keras_ghostnet.layers import GroupedConv2D
from tests.benchmark.networks.units import random_unit, shuffled
from tests.layers import reference
from tests.layers.reference import assert_equal

SIZE = 64
# ------------------------------------------------------------------------------- FE-Net


def moved(x, down, right):
    """Maps each place of which holds what was at a distance from it; zeros from outside."""
    _, height, width, _ = x.shape
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    return padded[:, 1 + down : 1 + down + height, 1 + right : 1 + right + width]


DIRECTIONS = [(down, right) for down in (-1, 0, 1) for right in (-1, 0, 1) if down or right]


def shift(x):
    """A tenth of the channels, the last, in all directions in turn."""
    x = x.copy()
    first = x.shape[-1] - x.shape[-1] // 10
    for channel in range(first, x.shape[-1]):
        part = slice(channel, channel + 1)
        x[..., part] = moved(x[..., part], *DIRECTIONS[(channel - first) % 8])
    return x


def test_a_tenth_of_the_channels_is_shifted_in_all_directions():
    model, _, x = random_unit(lambda maps: fe_net.sparse_shift(maps, "shift"), (5, 4, 97))
    assert_equal(model(x), shift(x))
    assert not model.trainable_weights


def unit(weights, x, name, pool=False):
    x = reference.convolve(x, weights.kernel(f"{name}_expand_conv"))
    x = reference.relu(weights.bn(x, f"{name}_expand_bn"))
    if pool:
        batch, height, width, channels = x.shape
        x = x.reshape(batch, height // 2, 2, width // 2, 2, channels).mean((2, 4))
    else:
        x = shift(x)
    x = reference.convolve(x, weights.kernel(f"{name}_project_conv"))
    return weights.bn(x, f"{name}_project_bn")


@pytest.mark.parametrize("pool", [True, False])
@pytest.mark.parametrize(("parts", "sizes"), [(3, (8, 4, 4)), (4, (8, 4, 2, 2))])
def test_block_takes_parts_in_one_by_one(parts, sizes, pool):
    row = fe_net.FeNetBlock(parts, 12, pool)
    model, weights, x = random_unit(lambda maps: fe_net.block(maps, row, "block"), (4, 4, 16))
    *waiting, y = np.split(x, np.cumsum(sizes)[:-1], axis=-1)
    for number, untouched in enumerate(reversed(waiting), start=1):
        y = y + unit(weights, y, f"block_unit{number}")
        y = np.concatenate([untouched, y], -1)
    assert_equal(model(x), unit(weights, y, f"block_unit{parts}", pool))


def test_expansions_count_from_the_input():
    model = build_network("fe_net_100", SIZE)
    shapes = {
        layer.name: layer.kernel.shape[-2:]
        for layer in model.layers
        if layer.name.endswith("_expand_conv")
    }
    assert shapes["unit1_expand_conv"] == (16, 64)
    assert shapes["unit2_expand_conv"] == (16, 80)
    assert shapes["block1_unit1_expand_conv"] == (8, 48)
    assert shapes["block4_unit4_expand_conv"] == (128, 768)
    assert shapes["block5_unit3_expand_conv"] == (256, 1536)


# ------------------------------------------------------------------------ CondenseNetV2


def hard_swish(x):
    return x * reference.hard_sigmoid(x)


def taken(model):
    """The channels that the selections of a model take, one list each."""
    found = [operation for operation in model.operations if type(operation).__name__ == "Take"]
    return [np.asarray(operation._inbound_nodes[0].arguments.args[1]) for operation in found]


@pytest.mark.parametrize("se", [False, True])
def test_dense_layer_is_the_authors_converted_one(se):
    stage = condensenet_v2.DenseStage(layers=1, growth=16, activation="hard_swish", se=se)
    draw = np.random.default_rng(3)
    model, weights, x = random_unit(
        lambda maps: condensenet_v2.dense_layer(maps, stage, draw, "layer"), (4, 4, 24)
    )
    chosen, told = taken(model)

    # The authors select first, and have a batch norm for what was selected.
    y = weights.bn(x, "layer_lgc_bn")[..., chosen]
    y = reference.convolve(hard_swish(y), weights.kernel("layer_lgc_conv"), groups=8)
    y = shuffled(y, 8)
    y = hard_swish(weights.bn(y, "layer_conv_bn"))
    y = reference.convolve(y, weights.kernel("layer_conv"), padding=1, groups=8)
    if se:
        gate = reference.relu(
            reference.convolve(reference.mean(y), weights["layer_se_reduce/kernel"])
        )
        gate = reference.convolve(gate, weights["layer_se_expand/kernel"])
        y = y / (1 + np.exp(-gate))
    z = shuffled(hard_swish(weights.bn(y, "layer_sfr_bn")), 2)
    z = reference.convolve(z, weights.kernel("layer_sfr_conv"), groups=8)
    index = np.zeros((24, 24))  # the authors multiply by this matrix
    index[told, np.arange(24)] = 1
    assert_equal(model(x), np.concatenate([x + z @ index, y], -1))


@pytest.fixture(scope="module")
def condensenet():
    return build_network("condensenet_v2_a", SIZE)


def test_every_group_takes_an_eighth_of_the_channels(condensenet):
    selections = taken(condensenet)
    assert len(selections) == 2 * 20
    for chosen, told in zip(selections[::2], selections[1::2], strict=True):
        for group in chosen.reshape(8, -1):
            assert len(set(group)) == len(group)
        assert sorted(told) == list(range(len(told)))
    assert np.array_equal(selections[0], taken(build_network("condensenet_v2_a", SIZE))[0])


def test_channels_grow_as_in_the_paper(condensenet):
    ends = ["stage1_layer1", "stage2_layer1", "stage3_layer4", "stage4_layer6", "stage5_layer8"]
    assert [condensenet.get_layer(f"{end}_concat").output.shape[-1] for end in ends] == [
        *(24, 32, 96, 288, 800)
    ]
    grouped = [layer for layer in condensenet.layers if isinstance(layer, GroupedConv2D)]
    assert {layer.groups for layer in grouped} == {8}


def test_parameters_are_the_authors(condensenet):
    # Their own count, which has 2.7 M multiply-adds more for activations and pooling.
    assert keras_ghostnet.count_parameters(condensenet) == 2_038_444
