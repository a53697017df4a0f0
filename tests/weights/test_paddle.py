"""Paddle's rules and ours compute the same: each difference alone, in NumPy.

The whole network, as Paddle itself computed it, is one of the golden files.
"""

import numpy as np
import pytest

from keras_ghostnet import specs
from keras_ghostnet.weights import layouts, paddle
from tests.golden.checkpoints import Golden

PADDLE = next(layout for layout in layouts.LAYOUTS if layout.source == layouts.PADDLE)
NAME = "paddle_ghostnet_050_224"
SPEC = specs.ghostnet(0.5)
SE = "_ghostbottleneck_3.se_block"  # 36 channels, 9 hidden units there, 12 here


def relu(x):
    return np.maximum(x, 0)


def test_gate_with_padded_units():
    theirs = Golden(NAME).tensors()
    ours = paddle.to_torch_terms(theirs, PADDLE, SPEC, "file")
    means = np.random.default_rng(0).standard_normal((64, 36))

    hidden = relu(means @ theirs[f"{SE}.squeeze.weight"] + theirs[f"{SE}.squeeze.bias"])
    gate = hidden @ theirs[f"{SE}.excitation.weight"] + theirs[f"{SE}.excitation.bias"]
    expected = np.clip(gate, 0, 1)
    assert np.mean((expected > 0) & (expected < 1)) > 0.2  # the slope is exercised

    reduce, expand = ours[f"{SE}.squeeze.weight"], ours[f"{SE}.excitation.weight"]
    assert reduce.shape == (12, 36, 1, 1)
    assert expand.shape == (36, 12, 1, 1)
    hidden = relu(means @ reduce[:, :, 0, 0].T + ours[f"{SE}.squeeze.bias"])
    gate = hidden @ expand[:, :, 0, 0].T + ours[f"{SE}.excitation.bias"]
    np.testing.assert_allclose(np.clip(gate + 3, 0, 6) / 6, expected, atol=1e-12)


def test_head_is_folded():
    theirs = Golden(NAME).tensors()
    ours = paddle.to_torch_terms(theirs, PADDLE, SPEC, "file")
    x = np.random.default_rng(1).standard_normal((8, 480))
    conv = x @ theirs["fc_0._conv.weight"][:, :, 0, 0].T.astype(np.float64)
    scale, offset, mean, variance = (
        theirs[f"fc_0._batch_norm.{name}"].astype(np.float64)
        for name in ("weight", "bias", "_mean", "_variance")
    )
    expected = scale * (conv - mean) / np.sqrt(variance + 1e-5) + offset
    np.testing.assert_allclose(x @ ours["fc_0.weight"] + ours["fc_0.bias"], expected, atol=1e-10)


def test_the_file_s_own_arrays_are_left_alone():
    theirs = Golden(NAME).tensors()
    paddle.to_torch_terms(theirs, PADDLE, SPEC, "file")
    for name, array in Golden(NAME).tensors().items():
        np.testing.assert_array_equal(theirs[name], array)


@pytest.mark.parametrize("part", [f"{SE}.squeeze.weight", f"{SE}.excitation.bias"])
def test_missing_part(part):
    tensors = Golden(NAME).tensors()
    del tensors[part]
    with pytest.raises(ValueError, match=f"file: {part} is missing"):
        paddle.to_torch_terms(tensors, PADDLE, SPEC, "file")


def test_more_hidden_units_than_there_is_room_for():
    tensors = Golden(NAME).tensors()
    tensors[f"{SE}.squeeze.weight"] = np.ones((36, 13), np.float32)
    with pytest.raises(ValueError, match="13 hidden units, the network has room for 12"):
        paddle.to_torch_terms(tensors, PADDLE, SPEC, "file")
