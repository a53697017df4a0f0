"""MobileNetV4, RepViT, StarNet and FasterNet: their blocks against NumPy."""

import numpy as np
import pytest
from scipy.special import erf

from keras_ghostnet.benchmark.networks import fasternet, mobilenet_v4, repvit, starnet
from keras_ghostnet.benchmark.networks.mobilenet_v4 import UniversalRows
from tests.benchmark.networks.units import random_unit
from tests.layers import reference
from tests.layers.reference import assert_equal

ROUNDED = 1e-6  # of GELU, whose constants TensorFlow has in float32


def gelu(x):
    return x * (1 + erf(x / np.sqrt(2))) / 2


class Parts:
    """Convolutions and batch norms of a unit by the names that its block gave them."""

    def __init__(self, weights):
        self.weights = weights

    def conv(self, x, name):
        return reference.convolve(x, self.weights.kernel(f"{name}_conv")) + self.bias(name)

    def depthwise(self, x, name, strides=1):
        kernel = self.weights.kernel(f"{name}_conv")
        padding = kernel.shape[0] // 2
        x = reference.depthwise(x, kernel, strides=strides, padding=padding)
        return x + self.bias(name)

    def bias(self, name):
        return self.weights.get(f"{name}_conv/bias", 0)

    def bn(self, x, name):
        return self.weights.bn(x, f"{name}_bn")


def unit(function, shape):
    model, weights, x = random_unit(function, shape)
    return model(x), Parts(weights), x


@pytest.mark.parametrize(
    "row",
    [UniversalRows(5, 3, 2, 3, 8), UniversalRows(3, 0, 1, 2, 6), UniversalRows(0, 5, 1, 2, 6)],
)
def test_universal_inverted_bottleneck(row):
    outputs, parts, x = unit(
        lambda maps: mobilenet_v4.universal_inverted_bottleneck(maps, row, "b"), (6, 5, 6)
    )
    y = x
    if row.first:
        y = parts.bn(parts.depthwise(y, "b_depthwise1"), "b_depthwise1")
    y = reference.relu(parts.bn(parts.conv(y, "b_expand"), "b_expand"))
    if row.middle:
        y = parts.depthwise(y, "b_depthwise2", row.stride)
        y = reference.relu(parts.bn(y, "b_depthwise2"))
    y = parts.bn(parts.conv(y, "b_project"), "b_project")
    assert_equal(outputs, y + x if row.output == 6 else y)


def test_star_block():
    outputs, parts, x = unit(lambda maps: starnet.star_block(maps, "b"), (8, 9, 6))
    y = parts.bn(parts.depthwise(x, "b_depthwise1"), "b_depthwise1")
    y = np.clip(parts.conv(y, "b_star1"), 0, 6) * parts.conv(y, "b_star2")
    y = parts.depthwise(parts.bn(parts.conv(y, "b_project"), "b_project"), "b_depthwise2")
    assert all(np.any(parts.bias(f"b_depthwise{number}")) for number in (1, 2))
    assert_equal(outputs, x + y)


def test_partial_convolution():
    outputs, parts, x = unit(lambda maps: fasternet.block(maps, "b"), (5, 4, 8))
    taken = reference.convolve(x[..., :2], parts.weights.kernel("b_partial_conv"), padding=1)
    y = np.concatenate([taken, x[..., 2:]], -1)
    y = gelu(parts.bn(parts.conv(y, "b_expand"), "b_expand"))
    expected = x + parts.conv(y, "b_project")
    np.testing.assert_allclose(outputs, expected, rtol=ROUNDED, atol=ROUNDED)


def test_channel_mixer_and_token_mixer_of_repvit():
    outputs, parts, x = unit(lambda maps: repvit.block(maps, False, "b"), (5, 4, 6))
    x = parts.bn(parts.depthwise(x, "b_token_mixer"), "b_token_mixer")
    y = gelu(parts.bn(parts.conv(x, "b_expand"), "b_expand"))
    expected = x + parts.bn(parts.conv(y, "b_project"), "b_project")
    np.testing.assert_allclose(outputs, expected, rtol=ROUNDED, atol=ROUNDED)


def test_every_second_block_of_repvit_has_a_gate():
    from keras_ghostnet.benchmark.networks.catalog import build_network

    gates = [
        layer.name for layer in build_network("repvit_m0_9", 64).layers if "_gate" in layer.name
    ]
    assert gates == [
        f"stage{stage}_block{number}_se_gate"
        for stage, (_, repeats) in enumerate(repvit.STAGES, start=1)
        for number in range(1, repeats + 1, 2)
    ]
