"""Conversion of a checkpoint to a Keras file, from Python and at the command line."""

import os
import stat

import keras
import numpy as np
import pytest

import keras_ghostnet
from keras_ghostnet import GhostNet
from tests.golden.checkpoints import Golden
from tests.weights import checkpoint_files


@pytest.fixture
def checkpoint(tmp_path):
    path = tmp_path / "ghostnet.pth"
    checkpoint_files.write_torch_zip(
        path, Golden("huawei_ghostnet_050_224").tensors(), nest="state_dict", prefix="module."
    )
    return path


@pytest.mark.parametrize("suffix", [".keras", ".weights.h5"])
def test_the_written_file_holds_the_same_network(checkpoint, tmp_path, suffix):
    output = tmp_path / f"converted{suffix}"
    model, assignments = keras_ghostnet.convert_weights(checkpoint, output)
    assert len(assignments) == len(model.weights) == 432
    if suffix == ".keras":
        loaded = keras.models.load_model(output)
    else:
        loaded = GhostNet(0.5)
        loaded.load_weights(output)
    x = np.random.default_rng(0).standard_normal((1, 224, 224, 3)).astype("float32")
    direct = GhostNet(0.5, weights=checkpoint)
    np.testing.assert_array_equal(loaded(x), direct(x))
    assert loaded.name == "ghostnet_050"


def test_without_classifier(checkpoint, tmp_path):
    tensors = Golden("huawei_ghostnet_050_224").tensors()
    for name in ("conv_head", "classifier"):
        del tensors[f"{name}.weight"], tensors[f"{name}.bias"]
    checkpoint_files.write_torch_zip(checkpoint, tensors)
    model, _ = keras_ghostnet.convert_weights(checkpoint, tmp_path / "backbone.keras")
    assert model.output_shape == (None, None, None, 480)


def test_unknown_ending_of_the_output(checkpoint, tmp_path):
    with pytest.raises(ValueError, match=r"must end in \.weights\.h5 or \.keras"):
        keras_ghostnet.convert_weights(checkpoint, tmp_path / "out.onnx")


def test_folder_that_does_not_exist(checkpoint, tmp_path):
    with pytest.raises(FileNotFoundError, match="no folder"):
        keras_ghostnet.convert_weights(checkpoint, tmp_path / "no" / "out.keras")


def test_a_broken_input_leaves_the_earlier_output(checkpoint, tmp_path):
    output = tmp_path / "out.keras"
    output.write_bytes(b"earlier")
    checkpoint.write_bytes(checkpoint.read_bytes()[:-1000])
    with pytest.raises(ValueError, match=r"ghostnet\.pth"):
        keras_ghostnet.convert_weights(checkpoint, output)
    assert output.read_bytes() == b"earlier"
    assert sorted(os.listdir(tmp_path)) == ["ghostnet.pth", "out.keras"]


def test_output_is_readable_as_umask_says(checkpoint, tmp_path):
    keras_ghostnet.convert_weights(checkpoint, tmp_path / "out.keras")
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE(os.stat(tmp_path / "out.keras").st_mode) == 0o666 & ~mask
