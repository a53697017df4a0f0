"""The README's code runs as it stands, and its figures are those of the code."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

import keras
import numpy as np
import pytest

import keras_ghostnet
from keras_ghostnet import cli
from keras_ghostnet.cli.models import COSTS
from keras_ghostnet.weights import REGISTRY, registry
from tests.golden.checkpoints import Golden
from tests.training.runs import free_ports

ROOT = pathlib.Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def python_blocks(text):
    return re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


@pytest.fixture
def desk(tmp_path, monkeypatch):
    """A folder with the images that the examples speak of, and weights without a download."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)

    def photo(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        keras.utils.save_img(path, rng.uniform(0, 255, (60, 80, 3)))

    photo(tmp_path / "cat.jpg")
    for name in ("ant", "bee"):
        for number in range(3):
            photo(tmp_path / "photos" / name / f"{number}.jpg")
    checkpoint = Golden("kecam_ghostnet_100_224").write(tmp_path)
    monkeypatch.setattr(registry, "fetch", lambda model, tag: checkpoint)
    return tmp_path


def test_the_readme_s_code_runs(desk, capsys):
    names = {}
    for block in python_blocks(README):
        exec(block.replace("epochs=5", "epochs=1"), names)
    assert (desk / "photos.keras").exists()
    assert any((desk / "exports").iterdir())
    assert re.search(r"\[\[\('n\d{8}', '\w+', ", capsys.readouterr().out)


def test_the_weights_page_s_code_runs(desk):
    names = {}
    for block in python_blocks((ROOT / "docs" / "weights.md").read_text()):
        exec(block, names)
    assert names["model"].output_shape == (None, 10)


@pytest.mark.parametrize("name", keras_ghostnet.list_models())
def test_the_readme_s_table_of_models(name):
    (row,) = re.findall(rf"^\| `{name}` \|(.*)\|$", README, re.MULTILINE)
    parameters, macs, _, weights = (cell.strip() for cell in row.split("|"))
    assert f"{parameters} {macs}" == f"{COSTS[name][0]:,} {COSTS[name][1] / 1e6:,.2f} M"
    told = dict(re.findall(r"`(\w+)`(?: ([\d.]+))?", weights))
    assert set(told) == set(registry.tags(name))
    for tag, top1 in told.items():
        assert not top1 or float(top1) == REGISTRY[name, tag].top1


def test_commands_and_targets_that_documents_name_exist():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    commands = {name.replace("_", "-") for name in cli.COMMANDS}
    for path in DOCUMENTS:
        text = path.read_text()
        assert set(re.findall(r"(?:`|^)make ([a-z-]+)", text, re.MULTILINE)) <= targets, path
        assert set(re.findall(r"(?:`|^)ghostnet ([a-z-]+)", text, re.MULTILINE)) <= commands, path


def test_links_between_documents():
    for path in DOCUMENTS:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", path.read_text()):
            assert (path.parent / target).exists(), f"{path.name}: {target}"


def shell_blocks(text):
    return re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


# Settings that the guide's commands get here in addition: twenty epochs take too long.
TINY = ("weights=none", "model=ghostnet_050", "image_size=32", "epochs=1", "batch_size=4")


@pytest.mark.workers
def test_the_training_guide_s_commands_run(desk):
    """Images of one's own, TFRecords of them, two workers over those."""
    guide = (ROOT / "docs" / "training.md").read_text()
    wrapper = desk / "bin" / "ghostnet"
    wrapper.parent.mkdir()
    tiny = " ".join(f"--set {setting}" for setting in TINY)
    command = pathlib.Path(sys.executable).with_name("ghostnet")
    wrapper.write_text(
        f'#!/bin/sh\ncase $1 in train) exec {command} "$@" {tiny};; *) exec {command} "$@";; esac\n'
    )
    wrapper.chmod(0o755)
    shutil.rmtree(desk / "photos")
    for index in range(12):
        path = desk / "photos" / ("train", "val")[index % 3 == 2] / ("ant", "bee")[index % 2]
        path.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(index).uniform(0, 255, (60, 80, 3))
        keras.utils.save_img(path / f"{index}.jpg", pixels)
    blocks = [block for block in shell_blocks(guide) if "photos" in block or "records" in block]
    assert len(blocks) == 3
    ports = iter(free_ports(2))
    script = re.sub(r"localhost:\d+", lambda _: f"localhost:{next(ports)}", "".join(blocks))
    path = f"{wrapper.parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-ec", script],
        cwd=desk,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    for run in ("photos", "records", "workers"):
        assert (desk / "runs" / run / "metrics.json").exists(), done.stdout
    config = json.loads((desk / "runs" / "workers" / "config.json").read_text())
    assert config["replicas"] == 2
