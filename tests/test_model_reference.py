"""Files that Keras cannot load, named with what they hold and what would help."""

import json
import re
import zipfile

import keras
import pytest

from keras_ghostnet.layers import GhostModule
from keras_ghostnet.model_file import REASON
from keras_ghostnet.model_reference import resolve_model


def edit(path, member, change):
    """Rewrites one member of a .keras file."""
    with zipfile.ZipFile(path) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    content[member] = change(content[member].decode()).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in content.items():
            archive.writestr(name, data)


@pytest.fixture
def path(tmp_path):
    inputs = keras.Input((32, 32, 3))
    outputs = keras.layers.Dense(2)(keras.layers.Flatten()(GhostModule(4)(inputs)))
    keras.Model(inputs, outputs).save(tmp_path / "model.keras")
    return tmp_path / "model.keras"


def test_the_home_folder(path, monkeypatch):
    """Also where no shell expands it, as in `--set teacher=~/model.keras`."""
    monkeypatch.setenv("HOME", str(path.parent))
    assert resolve_model("~/model.keras").load().output_shape == (None, 2)


def refusal(path):
    with pytest.raises(ValueError, match=re.escape(f"{path} cannot be loaded: ")) as caught:
        resolve_model(path).load()
    text = str(caught.value)
    assert len(text) < len(str(path)) + REASON + 200
    return text


def from_version(path, version):
    edit(
        path,
        "metadata.json",
        lambda text: json.dumps(json.loads(text) | {"keras_version": version}),
    )


@pytest.mark.parametrize(
    ("version", "advice"),
    [
        ("99.1.0", 'pip install "keras>=99.1.0"'),
        ("3.0.1", "layers of another package"),
        (keras.__version__, "layers of another package"),
    ],
)
def test_an_argument_that_only_another_keras_knows(path, version, advice):
    """As `VarianceScaling` of Keras 3.14 has one more than that of 3.13."""
    edit(path, "config.json", lambda text: text.replace('"units": 2', '"units": 2, "novel": 1'))
    from_version(path, version)
    text = refusal(path)
    assert "novel" in text
    assert f"written by Keras {version}; this is Keras {keras.__version__}." in text
    assert advice in text


def test_a_layer_that_nobody_registered(path):
    edit(path, "config.json", lambda text: text.replace("GhostModule", "AlienModule"))
    text = refusal(path)
    assert "AlienModule" in text
    assert "importing that" in text


def test_a_file_that_is_none(tmp_path):
    path = tmp_path / "model.keras"
    path.write_bytes(b"not an archive")
    assert "damaged" in refusal(path)


def test_a_file_whose_weights_are_others(path):
    edit(path, "config.json", lambda text: text.replace('"units": 2', '"units": 3'))
    assert f"this is Keras {keras.__version__}" in refusal(path)
