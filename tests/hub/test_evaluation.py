"""`ghostnet evaluate hf://...`: the figures of the same model in memory."""

import json

import keras
import pytest

from keras_ghostnet.training import evaluate
from tests.export.command import ghostnet
from tests.training import runs


@pytest.mark.parametrize("revision", ["", "@v1"])
def test_the_command(hub_server, run_dir, tmp_path, capsys, revision):
    photos = runs.write_photos(tmp_path / "photos", classes=3, train=1)
    names = sorted(path.name for path in (photos / "val").iterdir())
    config = {"label_names": names, "num_classes": 3, "crop_pct": 0.9}
    files = {"model.keras": (run_dir / "model.keras").read_bytes()}
    files["config.json"] = json.dumps(config).encode()
    commit = hub_server.add("org/bees", files)
    hub_server.repositories["org/bees"].names["v1"] = commit
    figures = tmp_path / "figures.json"
    reference = f"hf://org/bees{revision}"
    assert ghostnet("evaluate", reference, "--data", photos, "--output", figures) == 0
    assert f"{reference}: commit {commit}" in capsys.readouterr().out
    model = keras.models.load_model(run_dir / "model.keras")
    expected = evaluate(model, photos, crop=0.9)
    assert json.loads(figures.read_text()) == pytest.approx(expected.metrics, abs=1e-9)
    assert expected.metrics != pytest.approx(evaluate(model, photos, crop=0.5).metrics)


def test_other_classes(hub_server, run_dir, tmp_path, capsys):
    photos = runs.write_photos(tmp_path / "photos", classes=3, train=1)
    config = json.dumps({"label_names": ["ant", "bee", "wasp"], "num_classes": 3}).encode()
    files = {"model.keras": (run_dir / "model.keras").read_bytes(), "config.json": config}
    hub_server.add("org/bees", files)
    assert ghostnet("evaluate", "hf://org/bees", "--data", photos) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "class00" in line
    assert "ant" in line
