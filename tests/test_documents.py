"""The README's code runs as it stands, and its figures are those of the code."""

import pathlib
import re

import keras
import numpy as np
import pytest

import keras_ghostnet
from keras_ghostnet import cli
from keras_ghostnet.weights import REGISTRY, registry
from tests.golden.checkpoints import Golden

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
    model = keras_ghostnet.create_model(name)
    assert int(parameters.replace(",", "")) == keras_ghostnet.count_parameters(model)
    millions = keras_ghostnet.count_macs(model) / 1e6
    assert float(macs.removesuffix(" M").replace(",", "")) == pytest.approx(millions, abs=0.005)
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
