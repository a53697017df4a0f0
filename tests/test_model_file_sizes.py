"""Small model files that cost everything: memory, time, depth, pixels, disk."""

import io
import zipfile

import h5py
import keras
import pytest

from keras_ghostnet import model_file
from keras_ghostnet.model_config import UntrustedModelError
from tests.model_files import build, edited, layer, sized


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "model.keras"
    build().save(path)
    return path


def constant_call(config):
    """Two calls without tensors: Keras would compute them while the file loads."""
    tile = layer("Tile", module="keras.src.ops.numpy", repeats=[10**11])
    node = {"args": [[1.0]], "kwargs": {}}
    config["config"]["layers"].append(tile | {"name": "odd", "inbound_nodes": [node]})
    return config


def loop(config):
    config["config"]["layers"][1].update(layer("RandAugment", num_ops=10**9))
    return config


def deep(config):
    part = config["config"]
    for _ in range(300):
        part["deeper"] = part = {}
    return config


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (sized(("conv", {"filters": 10**9})), "'?conv'? asks for .* weights; all the file holds"),
        (constant_call, "'odd' .Tile. is called on constants"),
        (loop, r"'random_flip(_\d+)?' .RandAugment. has a num_ops of 1000000000"),
        (deep, "levels deep"),
    ],
)
def test_small_files(file, tmp_path, change, message):
    path = edited(file, tmp_path, change)
    with pytest.raises(UntrustedModelError, match=message):
        model_file.load_model(path)


@pytest.mark.parametrize(
    ("size", "layer", "message"),
    [
        (10_000, "GlobalAveragePooling2D", "more than 64,000,000 pixels"),
        (32, "ZeroPadding2D", "'pad' outputs .*more than 268,435,456 values"),
        (8_000, "GlobalAveragePooling2D", None),
    ],
)
def test_large_images(tmp_path, size, layer, message):
    arguments = {"padding": 10_000} if layer == "ZeroPadding2D" else {}
    pad = getattr(keras.layers, layer)(**arguments, name="pad")
    keras.Sequential([keras.Input((size, size, 3)), pad]).save(tmp_path / "model.keras")
    if message is None:
        assert model_file.load_model(tmp_path / "model.keras")
        return
    with pytest.raises(UntrustedModelError, match=message):
        model_file.load_model(tmp_path / "model.keras")
    assert model_file.load_model(tmp_path / "model.keras", trust_model=True)


def packed(file, tmp_path, **members):
    """The model's archive with other members, deflated."""
    path = tmp_path / "packed.keras"
    with zipfile.ZipFile(file) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        content = {name: old.read(name) for name in old.namelist()} | members
        for name, data in content.items():
            new.writestr(name, data)
    return path


def test_a_compressed_archive(file, tmp_path):
    assert model_file.load_model(packed(file, tmp_path))


def zeros():
    """A weight file of 2 GB in a few kB."""
    content = io.BytesIO()
    with h5py.File(content, "w") as root:
        root.create_dataset("layers/dense/vars/0", (2**29,), "float32", chunks=(2**20,))
    return content.getvalue()


@pytest.mark.parametrize(
    ("member", "content", "message"),
    [
        ("config.json", lambda: b" " * 2**26 + b" {}", "would unfold from"),
        ("config.json", lambda: b" " * (2**25 + 1), "configuration takes"),
        ("model.weights.h5", zeros, "would unfold from"),
        ("assets/words.txt", lambda: b"a", "holds the file 'assets/words.txt'"),
        ("../x", lambda: b"a", "stay inside the archive"),
        ("config.json", lambda: b"[" * 100_000, "recursion"),
        ("config.json", lambda: b"[1, 2]", "cannot be loaded"),
    ],
)
def test_archives(file, tmp_path, member, content, message):
    path = packed(file, tmp_path, **{member: content()})
    with pytest.raises(ValueError, match=message):
        model_file.load_model(path)
