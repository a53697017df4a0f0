"""Choosing passes by running them, and keeping the choice."""

import json
import pathlib

import pytest

from keras_ghostnet.export import tflite
from keras_ghostnet.export.graph import deploy, for_tracing, lowering
from keras_ghostnet.export.graph.lowering import Lowering
from keras_ghostnet.export.tflite import tuning
from tests.export.command import ghostnet


@pytest.fixture
def deployed(small):
    return for_tracing(deploy(small))


def write(model, path):
    tflite.export(model, path, target="none")


def concatenations(path):
    return tflite.operators(pathlib.Path(path).read_bytes())["CONCATENATION"]


def test_what_pays_stays(deployed, tmp_path, monkeypatch):
    """With a clock that likes doubled modules, and nothing else."""
    seen = []

    def ratio(new, old):
        counts = [concatenations(path) for path in (new, old)]
        seen.append(counts)
        return 0.9 if counts[0] < counts[1] else 1.1

    monkeypatch.setattr(tuning, "_ratio", ratio)
    found = tuning.tune(deployed, "float32", write, tmp_path)
    assert (found.double > 0, found.split) == (True, False)
    assert len(seen) >= 2
    # The choice is kept: nothing is run again.
    monkeypatch.setattr(tuning, "_ratio", None)
    assert tuning.tune(deployed, "float32", write, tmp_path) == found
    (kept,) = tmp_path.glob("*.json")
    assert Lowering(**json.loads(kept.read_text())) == found


def test_real_clock(deployed, tmp_path):
    found = tuning.tune(deployed, "float32", write, tmp_path)
    changed = lowering.lower(deployed, found)
    path = tmp_path / "small.tflite"
    tflite.export(changed, path, target="none")
    assert tuning._ratio(path, path) == pytest.approx(1, rel=0.5)


def test_the_command(run_dir, tmp_path, monkeypatch, capfd):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(tuning, "ROUNDS", 3)
    arguments = ("export", run_dir, "--formats", "tflite_fp32", "--out", tmp_path / "out")
    assert ghostnet(*arguments, "--target", "measured") == 0
    assert len(list((tmp_path / "cache" / "keras_ghostnet" / "lowering").iterdir())) == 1
    sidecar = json.loads((tmp_path / "out" / "small_fp32.tflite.json").read_text())
    assert sidecar["options"] == {"target": "measured"}
    assert ghostnet(*arguments, "--target", "arm64") == 1
    assert "There is no target 'arm64'" in capfd.readouterr().err
