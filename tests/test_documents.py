"""Code in the documents runs, and what they name exists."""

import fnmatch
import json
import os
import pathlib
import pkgutil
import re
import shutil
import subprocess
import sys

import keras
import numpy as np
import pytest

import keras_ghostnet
from keras_ghostnet import cli
from keras_ghostnet.benchmark.networks.random_weights import random_images, settle_batch_norms
from keras_ghostnet.preprocessing import to_pixels
from keras_ghostnet.weights import catalog
from tests import document_tables
from tests.training.runs import free_ports

ROOT = pathlib.Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def python_blocks(text):
    return re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


@pytest.fixture
def desk(tmp_path, monkeypatch):
    """A folder with the images that the examples speak of."""
    monkeypatch.chdir(tmp_path)
    cat, *photos = random_images(41, 60, 80)
    paths = {tmp_path / "cat.jpg": cat}
    for number, photo in enumerate(photos):
        paths[tmp_path / "photos" / ("ant", "bee")[number % 2] / f"{number}.jpg"] = photo
    for path, image in paths.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        keras.utils.save_img(path, to_pixels(image), scale=False)
    return tmp_path


@pytest.fixture
def weights(desk, monkeypatch):
    """Random weights whose features are of a usual size, in the place of every download."""
    keras.utils.set_random_seed(0)
    model = keras_ghostnet.GhostNet(input_shape=(64, 64, 3))
    settle_batch_norms(model, random_images(16, 64, 64), momentum=0.004)
    path = desk / "random.weights.h5"
    model.save_weights(path)
    monkeypatch.setattr(catalog, "download_weights", lambda model, tag: path)


# The README's training is shorter here, on smaller images; two steps take less time than tracing
# them. It teaches nothing, and int8 is for networks that have learned: `tests/export/test_verbs.py`
# has those.
SHORTER = {
    "epochs=5": "epochs=1",
    'metrics=["accuracy"])': 'metrics=["accuracy"], run_eagerly=True)',
    "224": "64",
    "tflite_int8": "tflite_fp16",
}


@pytest.mark.usefixtures("short_networks")
def test_the_readme_s_code_runs(desk, weights, capsys):
    names = {}
    for block in python_blocks(README):
        for long, short in SHORTER.items():
            block = block.replace(long, short)
        exec(block, names)
    printed = capsys.readouterr().out
    assert re.search(r"^cat\.jpg \(\('\w+', [\d.]+\), ", printed, re.MULTILINE)
    for file in ("photos_fp32.tflite", "photos_fp16.tflite"):
        assert (desk / "exports" / file).exists()
        assert f"{pathlib.Path('exports', file)} Verification(" in printed


@pytest.mark.usefixtures("short_networks")
def test_the_weights_page_s_code_runs(weights):
    names = {}
    for block in python_blocks((ROOT / "docs" / "weights.md").read_text()):
        exec(block, names)
    assert names["model"].output_shape == (None, 10)


@pytest.mark.usefixtures("short_networks", "desk")
@pytest.mark.filterwarnings("ignore:.*were folded:UserWarning")
def test_the_models_page_s_code_runs():
    names = {}
    for block in python_blocks((ROOT / "docs" / "models.md").read_text()):
        exec(block, names)
    images = np.random.default_rng(0).normal(size=(1, 64, 64, 3)).astype("float32")
    expected = np.asarray(names["model"](images))
    np.testing.assert_allclose(names["deployed"](images), expected, atol=1e-5)


@pytest.mark.parametrize("path", document_tables.DOCUMENTS, ids=lambda path: path.name)
def test_tables(path):
    """Their figures are those of `ghostnet models`, which a test compares with built networks."""
    assert path.read_text() == document_tables.rewritten(path), "`make tables` writes them"


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


def test_files_that_documents_name_exist():
    folders = ("keras_ghostnet", "training", "export", "benchmark", "tests", "docs", "examples")
    files = [str(path) for folder in folders for path in (ROOT / folder).rglob("*.*")]
    files += map(str, ROOT.glob("*"))
    for document in DOCUMENTS:
        for name in re.findall(r"`([\w./*]+\.(?:py|c))`", document.read_text()):
            assert fnmatch.filter(files, f"*/{name}"), f"{document.name}: {name}"


def test_modules_that_documents_name_exist():
    for document in DOCUMENTS:
        for name in re.findall(r"(?<![\w/])keras_ghostnet(?:\.\w+)+", document.read_text()):
            pkgutil.resolve_name(name)


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
