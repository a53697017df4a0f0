"""Weights from files of Keras 3, under names that say nothing."""

from functools import partial

import h5py
import keras
import numpy as np
import pytest

import keras_ghostnet
from keras_ghostnet import GGhostRegNetX002, GhostNet

pytestmark = pytest.mark.usefixtures("short_networks")


@pytest.mark.parametrize("suffix", [".weights.h5", ".keras"])
@pytest.mark.parametrize("include_top", [True, False])
def test_round_trip(tmp_path, suffix, include_top):
    model = GhostNet(0.25, classes=5, input_shape=(32, 32, 3))
    # Optimizer state in the file; one step takes less time than tracing it.
    model.compile("sgd", "sparse_categorical_crossentropy", run_eagerly=True)
    model.fit(np.ones((2, 32, 32, 3)), np.zeros(2), verbose=0) if suffix == ".keras" else None
    written = tmp_path / f"model{suffix}"
    model.save(written) if suffix == ".keras" else model.save_weights(written)
    anonymous = written.rename(tmp_path / "download")
    loaded = GhostNet(0.25, classes=5, weights=anonymous, include_top=include_top)
    by_path = {w.path: w.numpy() for w in model.weights}
    for weight in loaded.weights:
        np.testing.assert_array_equal(weight.numpy(), by_path[weight.path])


def test_g_ghostnet(tmp_path):
    model = GGhostRegNetX002(include_top=False)
    model.save_weights(tmp_path / "g.weights.h5")
    loaded = GGhostRegNetX002(include_top=False, weights=tmp_path / "g.weights.h5")
    for a, b in zip(model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("suffix", [".weights.h5", ".keras"])
@pytest.mark.parametrize("constructor", [partial(GhostNet, 0.25), GGhostRegNetX002])
def test_backbone_of_a_fine_tuned_network(tmp_path, suffix, constructor):
    backbone = constructor(include_top=False, pooling="avg")
    model = keras.Model(backbone.input, keras.layers.Dense(3)(backbone.output))
    path = tmp_path / f"ft{suffix}"
    model.save(path) if suffix == ".keras" else model.save_weights(path)
    loaded = constructor(include_top=False, weights=path)
    for a, b in zip(backbone.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_classifier_of_another_kind(tmp_path):
    backbone = GhostNet(0.25, include_top=False, pooling="avg")
    path = tmp_path / "ft.keras"
    keras.Model(backbone.input, keras.layers.Dense(3)(backbone.output)).save(path)
    with pytest.raises(ValueError, match=r"is not that of.*keras\.models\.load_model"):
        GhostNet(0.25, classes=3, weights=path)
    with pytest.raises(ValueError, match=r"would be lost"):
        keras_ghostnet.convert_weights(path, tmp_path / "out.keras")


def test_error_of_keras_names_the_file(tmp_path):
    backbone = GhostNet(0.25, include_top=False, pooling="avg")
    x = keras.layers.Dense(3)(keras.layers.Dense(8)(backbone.output))
    keras.Model(backbone.input, x).save(tmp_path / "two.keras")
    with pytest.warns(), pytest.raises(ValueError, match=r"two\.keras: Keras cannot load it"):
        GhostNet(0.25, include_top=False, weights=tmp_path / "two.keras")


def test_weights_that_are_no_floats_are_named(tmp_path):
    path = tmp_path / "w.weights.h5"
    GhostNet(0.25, include_top=False).save_weights(path)
    with h5py.File(path, "r+") as file:
        kernel = file["layers/conv2d/vars/0"][:]
        del file["layers/conv2d/vars/0"]
        file["layers/conv2d/vars/0"] = kernel.astype("int8")
    with pytest.raises(ValueError, match=r"layers/conv2d/vars/0 \(int8\)"):
        GhostNet(0.25, include_top=False, weights=path)


def test_another_width(tmp_path):
    GhostNet(0.5, classes=4).save_weights(tmp_path / "w.weights.h5")
    with pytest.raises(ValueError, match=r"(?s)width 0\.5.*width 0\.25"):
        GhostNet(0.25, classes=4, weights=tmp_path / "w.weights.h5")


def test_a_network_around_a_ghostnet_is_not_one(tmp_path):
    backbone = GhostNet(0.25, include_top=False, pooling="avg")
    keras.Sequential([keras.Input((32, 32, 3)), backbone]).save(tmp_path / "s.keras")
    with pytest.raises(ValueError, match=r"keras\.models\.load_model"):
        GhostNet(0.25, weights=tmp_path / "s.keras")
