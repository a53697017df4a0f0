"""Exported files are found again by what made them, and by nothing else."""

import json

import keras
import numpy as np
import pytest

from keras_ghostnet import count_parameters
from keras_ghostnet.benchmark import paper_table
from keras_ghostnet.benchmark.comparison import cache, exports
from keras_ghostnet.benchmark.comparison.compared_networks import ComparedNetwork
from keras_ghostnet.export import sidecar, tflite

CHOICES = FP32, INT8 = ("litert", "fp32"), ("litert", "int8")


@pytest.fixture(scope="module")
def filled(run_dir, tmp_path_factory):
    """A cache with the small network in both formats, and their `Export`s."""
    kept = cache.Cache(tmp_path_factory.mktemp("cache"), target="none")
    return kept.folder, list(kept.exports(ComparedNetwork(str(run_dir)), CHOICES))


def again(folder, subject, choices=(FP32,), **options):
    kept = cache.Cache(folder, **{"target": "none", **options})
    return kept, list(kept.exports(subject, choices))


def test_files_are_the_network_s(filled, small, images):
    _, (floats, integers) = filled
    images = images[:, ::2, ::2]
    expected = small.predict(images, verbose=0)
    np.testing.assert_allclose(tflite.load(floats.path)(images), expected, atol=1e-4)
    assert tflite.load(integers.path).input["dtype"] == np.int8
    assert (floats.parameters, floats.size, floats.parts) == (count_parameters(small), 32, 1)
    assert floats.bytes == floats.path.stat().st_size
    assert floats.sha256 == sidecar.artifact_hash(floats.path)


def test_the_same_is_found(filled, run_dir):
    folder, expected = filled
    kept, found = again(folder, ComparedNetwork(str(run_dir)), CHOICES)
    assert (found, kept.found, kept.made) == (expected, 2, 0)


@pytest.fixture
def no_export(filled, monkeypatch):
    """Stands in for what makes a file: whether one is made is all that counts."""
    _, (export, _) = filled
    facts = {
        name: value
        for name, value in export.fields.items()
        if name not in ("model", "runtime", "format", "size")
    }
    monkeypatch.setattr(cache.Cache, "_make", lambda *_: facts)


@pytest.mark.usefixtures("no_export")
def test_another_network_is_not(filled, small, tmp_path):
    folder, _ = filled
    other = keras.models.clone_model(small)
    other.set_weights(small.get_weights())
    other.save(tmp_path / "same.keras")
    kept, _ = again(folder, ComparedNetwork(str(tmp_path / "same.keras")))
    assert kept.made == 0
    weights = small.get_weights()
    weights[0][0, 0, 0, 0] += 1e-6
    other.set_weights(weights)
    other.save(tmp_path / "other.keras")
    kept, _ = again(folder, ComparedNetwork(str(tmp_path / "other.keras")))
    assert kept.made == 1


@pytest.mark.usefixtures("no_export")
def test_other_code_and_libraries_are_not(filled, run_dir, monkeypatch):
    folder, _ = filled
    with monkeypatch.context() as patch:
        patch.setattr(cache.importlib.metadata, "version", lambda name: "0")
        assert again(folder, ComparedNetwork(str(run_dir)))[0].made == 1
    with monkeypatch.context() as patch:
        patch.setattr(cache, "APART", (*cache.APART, "graph"))  # other files, other hash
        assert again(folder, ComparedNetwork(str(run_dir)))[0].made == 1
    assert again(folder, ComparedNetwork(str(run_dir)), target="arm")[0].made == 1
    assert again(folder, ComparedNetwork(str(run_dir)), force=True)[0].made == 1


@pytest.mark.parametrize("damage", ["file", "json", "missing"])
def test_a_damaged_file_is_made_again(damage, filled, run_dir):
    folder, (export, _) = filled
    beside = sidecar.path_of(export.path)
    if damage == "file":
        content = bytearray(export.path.read_bytes())
        content[-1] ^= 1
        export.path.write_bytes(content)
    elif damage == "json":
        beside.write_text(beside.read_text()[:20])
    else:
        export.path.unlink()
    kept, (made,) = again(folder, ComparedNetwork(str(run_dir)))
    assert kept.made == 1
    assert sidecar.artifact_hash(made.path) == made.sha256
    assert json.loads(beside.read_text())["sha256"] == made.sha256


def test_an_interrupted_export_leaves_nothing(run_dir, tmp_path, monkeypatch):
    def interrupted(self, path, *_):
        path.write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(exports.Exporter, "write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        again(tmp_path, ComparedNetwork(str(run_dir)))
    assert list(tmp_path.iterdir()) == []


def test_numbers_in_names_of_unnamed_layers_and_operations_do_not_count():
    def build():
        keras.utils.set_random_seed(0)
        inputs = keras.Input((8, 8, 3))
        x = keras.layers.ReLU()(keras.layers.Conv2D(4, 3, activation="relu")(inputs))
        return keras.Model(inputs, keras.ops.relu(x + 3.0), name="unnamed")  # two operations

    first, second = build(), build()
    for one, other in zip(first.operations[1:], second.operations[1:], strict=True):
        assert one.name != other.name
    assert cache.network_hash(first) == cache.network_hash(second)
    inputs = keras.Input((8, 8, 3))
    other = keras.Model(
        inputs, keras.ops.relu(first.layers[2](first.layers[1](inputs)) + 4.0), name="unnamed"
    )
    assert cache.network_hash(first) != cache.network_hash(other)


def test_random_networks_get_the_statistics_of_random_images():
    """At inference they then compute what they compute in training, where nothing vanishes."""
    model = ComparedNetwork("mobilenet_v2_035", paper_table.get_row("mobilenet_v2_035")).build(32)
    exporter = exports.Exporter(model, random=True)
    norms = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    momenta = [norm.momentum for norm in norms]
    initial = model.predict(exporter.images, verbose=0)
    assert exporter.deployed.output_shape == model.output_shape
    expected = np.asarray(model(exporter.images, training=True))
    settled = model.predict(exporter.images, verbose=0)
    np.testing.assert_allclose(settled, expected, atol=1e-3 * expected.std())
    assert initial.std() < 0.01 * settled.std()
    assert [norm.momentum for norm in norms] == momenta


def test_the_user_s_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache.Cache().folder == tmp_path / "keras_ghostnet" / "compare"
