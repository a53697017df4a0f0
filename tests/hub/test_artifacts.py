"""Artifacts that go along with a model: its own alone, as they were verified."""

import json
import shutil

import numpy as np
import pytest

from keras_ghostnet.benchmark.networks.random_weights import random_images
from keras_ghostnet.export import sidecar
from keras_ghostnet.hub import push
from keras_ghostnet.hub.contents import artifacts_of
from keras_ghostnet.model_file import load_model
from keras_ghostnet.preprocessing import to_pixels
from tests.export.command import export, ghostnet
from tests.hub.conftest import LABELS, hub_on_loopback

TEXT = "hf://org/bees"
pytestmark = pytest.mark.usefixtures("short_networks")


@pytest.fixture(scope="session")
def model(run_dir):
    return load_model(run_dir / "model.keras")


@pytest.fixture
def run(run_dir, model, tmp_path):
    """A run's folder with an artifact in its `exports`, by its sidecar one that was verified."""
    exports = tmp_path / "run" / "exports"
    exports.mkdir(parents=True)
    shutil.copy(run_dir / "model.keras", exports / "bees.keras")
    artifact = exports / "bees_fp32.tflite"
    artifact.write_bytes(b"artifact" * 200)
    (exports / "notes.txt").write_text("not of an artifact")
    images = {"source": "photos", "images": 8, "sha256": "0"}
    content = {
        "format": "tflite_fp32",
        "options": {},
        "source": {"model": "bees", "sha256": sidecar.model_hash(model), "file": "bees.keras",
                   "origin": "/home/me/run/model.keras"},
        "outputs_are": "logits", "labels_are": "exclusive", "labels": LABELS, "calibration": None,
        "preprocessing": {"size": [32, 32], "crop": 0.9, "normalization_in_artifact": False,
                          "mean": None, "std": None},
        "verification": {"max_error": 1e-6, "typical_error": 1e-7, "cosine": 1.0, "agreement": 0.5,
                         "accuracy": None, "flips": 0, "close_flips": 0, **images, "p_value": 1.0,
                         "origin": {}},
    }  # fmt: skip
    sidecar.write(artifact, content, sidecar.path_of(artifact))
    return exports.parent


def test_artifacts_go_along(run, model):
    found = artifacts_of(run, None, model)
    assert set(found.paths) == {
        "exports/bees.keras", "exports/bees_fp32.tflite", "exports/bees_fp32.tflite.json",
    }  # fmt: skip
    assert list(found.sidecars) == ["bees_fp32.tflite"]
    assert found.notes == ["The artifacts' sidecars name /home/me/run/model.keras of this machine."]
    assert artifacts_of(run / "exports", None, model).paths == {}


@pytest.mark.parametrize(
    "change", [lambda path: path.write_bytes(b"x"), lambda path: path.unlink()]
)
def test_artifacts_that_were_changed(run, model, change):
    change(run / "exports" / "bees_fp32.tflite")
    with pytest.raises(ValueError, match="is not the file that was verified"):
        artifacts_of(run, None, model)


def test_artifacts_of_nobody_and_of_another_model(run, model):
    with pytest.raises(FileNotFoundError, match="holds no artifacts"):
        artifacts_of(run, run / "empty", model)
    bias = model.get_layer("predictions").bias
    before = bias.numpy()
    bias.assign([1, 2, 3])
    with pytest.raises(ValueError, match="was exported from another model"):
        artifacts_of(run, run / "exports", model)
    (run / "model.keras").touch()  # as of a run whose `last.keras` is pushed, or the reverse
    with pytest.raises(ValueError, match=r"`ghostnet push \S*run/model\.keras` uploads that one"):
        artifacts_of(run, None, model)
    bias.assign(before)


@pytest.mark.thorough
def test_what_was_pushed_is_verified_again(run_dir, tmp_path, monkeypatch):
    run = shutil.copytree(run_dir, tmp_path / "run")
    config = json.loads((run / "config.json").read_text())
    del config["run"]["data"]
    (run / "config.json").write_text(json.dumps(config))
    np.save(tmp_path / "images.npy", to_pixels(random_images(16, 32, 32)))
    assert export(run, run / "exports", "--calibration", tmp_path / "images.npy") == 0
    monkeypatch.setenv("HF_TOKEN", "hf_writer")
    with hub_on_loopback(tmp_path, monkeypatch) as server:
        commit = push(run, TEXT).commit
        files = server.repositories["org/bees"].commits[commit]
        # Of the commit that was exported, and none of another, an artifact is known to be.
        out, images = tmp_path / "again", tmp_path / "images.npy"
        assert export(TEXT, out, "--calibration", images) == 0
        (described,) = sidecar.find_artifacts(out).values()
        assert described["source"]["origin"] == f"{TEXT}@{commit}"
        assert ghostnet("verify", out) == 0
    shutil.rmtree(run)
    for name, content in files.items():
        path = tmp_path / "copy" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    assert b"tflite\\_fp32" in files["README.md"]
    assert ghostnet("verify", tmp_path / "copy" / "exports") == 0
