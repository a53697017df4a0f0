"""`ghostnet verify` of a folder that may be anybody's: all is proven, or named as not proven.

All plants are in one folder, which is verified once.
"""

import json
import os
import re
import shutil
import zipfile

import fsspec
import numpy as np
import pytest

from keras_ghostnet.export import ArtifactError, sandbox, sidecar, verify
from tests.export.command import FP32, INT8, ghostnet

FORMAT = "_fp32.tflite"


def put(*keys, value):
    """An edit of a sidecar: the field of these names gets a value."""

    def edit(content):
        for key in keys[:-1]:
            content = content[key]
        content[keys[-1]] = value(content.get(keys[-1])) if callable(value) else value

    return edit


# By name: an edit, after which the checksum is computed anew, and what is said of it.
EDITS = {
    "mean": (put("preprocessing", "mean", value=[0.5, 0.5, 0.5]), r"preprocessing\.mean"),
    "std": (put("preprocessing", "std", value=[1.0, 1.0, 1.0]), r"preprocessing\.std"),
    "no-mean": (put("preprocessing", "mean", value=None), r"preprocessing\.mean"),
    "channels": (put("preprocessing", "channels", value="BGR"), r"channels is 'BGR'. Found: 'RGB'"),
    "size": (put("preprocessing", "size", value=[32, 33]), r"preprocessing\.size"),
    "formula": (put("preprocessing", "formula", value="pixels"), r"preprocessing\.formula"),
    "resize": (put("preprocessing", "resize", value="none"), r"preprocessing\.resize"),
    "crop": (put("preprocessing", "crop", value=0.5), r"origin\.crop is 1.0. Found: 0.5"),
    "raw": (put("preprocessing", "normalization_in_artifact", value=True), "normalization_in"),
    "folded": (put("options", "fold_preprocessing", value=True), "TFLite metadata"),
    "io": (put("options", "io", value="uint8"), r"options\.io is 'uint8'. Found: 'float32'"),
    "layout": (put("options", "layout", value="NCHW"), r"options\.layout"),
    "pixels": (put("source", "input", value="pixels"), "takes pixels images. Found: normalized"),
    "swapped": (put("labels", value=["bee", "ant"]), "Found in the artifact: .'ant', 'bee'"),
    "renamed": (put("labels", value=["ant", "bug"]), "Found in the artifact"),
    "fewer": (put("labels", value=["ant"]), "Found in the artifact"),
    "more": (put("labels", value=["ant", "bee", "cat"]), "Found in the artifact"),
    "independent": (put("labels_are", value="independent"), "labels_are"),
    "probabilities": (put("outputs_are", value="probabilities"), "outputs_are"),
    "float16": (put("format", value="tflite_fp16"), "is no tflite_fp16 by its name"),
    "int8": (put("format", value="tflite_int8"), "is no tflite_int8 by its name"),
    "onnx": (put("format", value="onnx_fp32"), "is no onnx_fp32 by its name"),
    "folder": (put("format", value="saved_model"), "is no saved_model by its name"),
    "nonsense": (put("format", value="gguf"), "There is no format 'gguf'"),
    "dtype": (put("inputs", value=lambda old: [{**old[0], "dtype": "int8"}]), "inputs is"),
    "shape": (put("inputs", value=lambda old: [{**old[0], "shape": [1, 64, 64, 3]}]), "inputs"),
    "scale": (put("outputs", value=lambda old: [{**old[0], "scale": 2.0}]), "outputs is"),
    "no-output": (put("outputs", value=[]), "outputs is"),
    "sha256": (put("sha256", value="0" * 64), "is not the file that was exported"),
    "bytes": (put("bytes", value=lambda old: old + 1), "is not the file that was exported"),
    "name": (put("source", "model", value="large"), r"source\.model is 'large'. Found: 'small'"),
    "parameters": (put("source", "parameters", value=10**9), r"source\.parameters"),
    "model": (put("source", "sha256", value="0" * 64), "is not the model that the tflite_fp32"),
    "above": (put("source", "file", value="../small.keras"), r"expected a \.keras file beside it"),
    "absolute": (put("source", "file", value="/etc/small.keras"), "a .keras file beside it"),
    "hostile": (put("source", "file", value="hostile.keras"), "traverse', which may do more than"),
    "gone": (put("source", "file", value="gone.keras"), "the model .* is missing"),
    "images": (put("verification", "images", value=400), r"verification\.images is 400. Found: 48"),
    "other": (put("verification", "sha256", value="0" * 64), r"verification\.sha256"),
    "held-out": (put("verification", "training_images", value=0), "training_images is 0. Found"),
    "seen": (
        put("verification", "origin", "split", value="train"),
        "split is 'train'. Found: 'val",
    ),
    "one": (put("verification", "origin", "count", value=1), "count is 1. Found: 400"),
    "few": (put("verification", "origin", "training", value=1), "An export takes"),
    "nowhere": (put("verification", "origin", "data", value="/nowhere"), "are not there any more"),
    "origin": (put("verification", "origin", value={"crop": 1.0}), "says too little of where"),
    "accuracy": (put("verification", "accuracy", value=0.9), r"accuracy is 0.9. Found: 1.0"),
    "unknown": (put("verification", "accuracy", value=None), "accuracy is None. Found: 1.0"),
    "agreement": (put("verification", "agreement", value=0.5), "agreement"),
    "cosine": (put("verification", "cosine", value=0.9), "cosine"),
    "typical": (put("verification", "typical_error", value=1e-3), "typical_error"),
    "perfect": (put("verification", "max_error", value=0), "max_error is 0. Found"),
    "exact": (put("verification", "typical_error", value=0.0), "typical_error is 0.0. Found"),
    "chance": (put("verification", "p_value", value=0.5), "p_value is 0.5. Found: 1.0"),
    "huge": (put("verification", "origin", "count", value=10**12), "count is 1000000000000"),
    "whole": (put("verification", "origin", "training", value=10**12), "on 1000000000000 training"),
    "window": (put("preprocessing", "crop", value=1e308), "crop or size is none"),
    "largest": (put("verification", "max_error", value=1.0), "max_error"),
    "flips": (put("verification", "flips", value=9), r"verification\.flips is 9. Found: 0"),
    "source": (put("verification", "source", value="cats/val"), "images are of 'cats/val'. Found"),
    "calibrated": (put("calibration", value={"images": 32}), "its calibration is"),
    "never": (lambda content: content.pop("verification"), "never verified"),
}
# What is written instead of a sidecar.
DAMAGES = {
    "cut": lambda text: text[: len(text) // 2],
    "empty": lambda text: b"",
    "latin": lambda text: text.replace(b"small", b"sm\xe4ll"),
    "list": lambda text: b"[]",
    "number": lambda text: b"1" * 5000,
    "deep": lambda text: b"[" * 100_000,
    "infinite": lambda text: text.replace(b'"agreement": 1.0', b'"agreement": Infinity'),
    "edited": lambda text: text.replace(b'"bee"', b'"bug"'),
    "untyped": lambda text: text.replace(b'"labels": [', b'"labels": 1, "x": ['),
    "lacking": lambda text: text.replace(b'"format"', b'"from"'),
    "binary": lambda text: bytes(range(256)),
}
# What is in the folder besides: what makes it, and what is said of it.
OTHERS = {
    "junk.bin": (lambda path: path.write_bytes(b"junk"), "is nothing that `ghostnet export` makes"),
    "notes.txt": (lambda path: path.write_text("notes"), "is nothing that `ghostnet export` makes"),
    "alone.tflite": (lambda path: path.write_bytes(b"junk"), "there is no alone.tflite.json"),
    "alone.onnx": (lambda path: path.write_bytes(b"junk"), "there is no alone.onnx.json"),
    "alone.keras": (lambda path: path.write_bytes(b"junk"), "is nothing that"),
    "notes.json": (lambda path: path.write_text("{}"), "is not as `ghostnet export` writes it"),
    "x_fp32.tflite.failed": (lambda path: path.touch(), "failed an earlier verification"),
    ".partial-1-x_fp32.tflite": (lambda path: path.touch(), "an export that was stopped"),
    "zero.tflite": (lambda path: path.symlink_to("/dev/zero"), "there is no zero.tflite.json"),
    "usr": (lambda path: path.symlink_to("/usr"), "there is no usr.json"),
    "pipe": (os.mkfifo, "is nothing that"),
}
# Artifacts that are links or no files, with a sound sidecar.
LINKS = {
    "zero": lambda path: path.symlink_to("/dev/zero"),
    "usr": lambda path: path.symlink_to("/usr"),
    "outside": lambda path: path.symlink_to(path.parents[1] / "outside.tflite"),
    "fifo": os.mkfifo,
    "directory": lambda path: path.mkdir(),
}


def write_hostile(source, target):
    """A copy of a model that refers to what calls functions."""
    function = {"module": "keras.tree", "class_name": "function", "config": "traverse"}
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "config.json":
                config = json.loads(content)
                config["config"]["layers"][-1]["config"]["activation"] = function
                content = json.dumps(config)
            new.writestr(name, content)


def planted(name):
    return f"{name}{FORMAT}"


@pytest.fixture(scope="module")
def folder(exported, tmp_path_factory):
    """The folder: TFLite files, edited copies of one, and everything else."""
    folder = tmp_path_factory.mktemp("foreign") / "folder"
    folder.mkdir()
    for name in ("small.keras", FP32, INT8):
        shutil.copy(exported / name, folder)
    shutil.copy(exported / f"{INT8}.json", folder)
    write_hostile(exported / "small.keras", folder / "hostile.keras")
    shutil.copy(exported / FP32, folder.parent / "outside.tflite")
    text = (exported / f"{FP32}.json").read_bytes()
    (folder / f"{FP32}.json").write_bytes(text)
    for name, (edit, _) in EDITS.items():
        artifact, content = folder / planted(f"edit-{name}"), json.loads(text)
        shutil.copy(exported / FP32, artifact)
        edit(content)
        content["checksum"] = sidecar.checksum(content)
        sidecar.path_of(artifact).write_text(json.dumps(content))
    for name, damage in DAMAGES.items():
        artifact = folder / planted(f"damage-{name}")
        shutil.copy(exported / FP32, artifact)
        sidecar.path_of(artifact).write_bytes(damage(text))
        assert damage(text) != text
    for name, make in LINKS.items():
        artifact = folder / planted(f"link-{name}")
        make(artifact)
        sidecar.path_of(artifact).write_bytes(text)
    for name, (make, _) in OTHERS.items():
        make(folder / name)
    # A SavedModel whose export was killed before its sidecar was there.
    shutil.copytree(exported / "small" / "1", folder / "served" / "1")
    return folder


@pytest.fixture(scope="module")
def results(folder):
    """What `verify` says, by the artifacts' and files' names. All copies are run by one process."""
    shared = sandbox.Sandbox(folder / FP32, "tflite")
    sound = sandbox.open_runner

    def open_runner(path, *arguments):
        is_copy = path.read_bytes() == (folder / FP32).read_bytes()
        return shared if is_copy else sound(path, *arguments)

    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(sandbox, "open_runner", open_runner)
        monkeypatch.setattr(shared, "close", lambda: None)
        with pytest.raises(ArtifactError) as caught:
            verify(folder)
    shared.__class__.close(shared)
    found = {result.path.name: result for result in caught.value.results}
    assert len(found) == len(caught.value.results)  # every one is named once
    return found


def said(result):
    assert result.outcome == "not proven"
    assert "\n" not in result.error
    return result.error


def test_what_is_sound_passes(results):
    for name in (FP32, INT8):
        assert results[name].error is None
        assert results[name].verification.agreement == 1
    assert results[FP32].images.startswith("40 held-out and 8 training images of")


@pytest.mark.parametrize("name", EDITS)
def test_an_edited_sidecar_is_refused(name, results):
    assert re.search(EDITS[name][1], said(results[planted(f"edit-{name}")]))


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_sidecar_is_named(name, results):
    error = said(results[planted(f"damage-{name}")])
    assert "checksum is another" in error if name == "edited" else "is not as `ghostnet" in error


@pytest.mark.parametrize("name", LINKS)
def test_an_artifact_is_a_file_of_the_folder(name, results):
    error = said(results[planted(f"link-{name}")])
    assert ("by its name" if name == "directory" else "is a link to something outside") in error


@pytest.mark.parametrize("name", OTHERS)
def test_nothing_is_passed_over(name, results):
    found = results[name.removesuffix(".json")]
    assert OTHERS[name][1] in said(found)


def test_a_saved_model_without_sidecar_is_named(results):
    assert "there is no 1.json beside it" in said(results["1"])


def test_everything_is_named(folder, results):
    entries = {path.name.removesuffix(".json") for path in folder.iterdir()}
    assert entries - {"small.keras", "hostile.keras", "served"} == set(results) - {"1"}


def test_a_formatted_sidecar_is_the_same(exported):
    """The checksum is that of the content."""
    content = json.loads((exported / f"{FP32}.json").read_text())
    turned = dict(reversed(content.items()))
    assert sidecar.checksum(turned) == content["checksum"]


@pytest.fixture
def differing(exported, small, tmp_path):
    """All that the sidecar says is true, but its artifact computes something else."""
    folder = tmp_path / "differing"
    folder.mkdir()
    for name in ("small.keras", FP32, f"{FP32}.json"):
        shutil.copy(exported / name, folder)
    bias = small.layers[-1].get_weights()[1].tobytes()
    content = (folder / FP32).read_bytes()
    assert content.count(bias) == 1
    (folder / FP32).write_bytes(content.replace(bias, np.float32([9, -9]).tobytes()))
    beside = folder / f"{FP32}.json"
    sidecar.write(folder / FP32, sidecar.read(beside), beside)
    return folder


def test_the_command_says_what_fails_and_what_is_not_proven(differing, capfd):
    (differing / "junk.bin").touch()
    assert ghostnet("verify", differing) == 1
    out, err = capfd.readouterr()
    rows = {line.split()[0]: line.split()[-1] for line in out.splitlines() if line.strip()}
    assert rows["tflite_fp32"] == "failed"
    assert "not proven" in next(line for line in out.splitlines() if "junk.bin" in line)
    first, second = err.splitlines()
    assert "does not compute what the Keras model computes. On 40 held-out and 8 training" in first
    assert first.endswith(f"It is now called {FP32}.failed.")
    assert second == (
        "ghostnet: junk.bin: it is nothing that `ghostnet export` makes, or of no artifact here. "
        "Remove it."
    )
    left = {"small.keras", "junk.bin", f"{FP32}.failed", f"{FP32}.json"}
    assert {path.name for path in differing.iterdir()} == left


def test_what_fails_in_a_store_stays_as_it_is(differing, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    memory, names = fsspec.filesystem("memory"), {"small.keras", FP32, f"{FP32}.json"}
    memory.put(f"{differing}/", "/differing/", recursive=True)
    (differing / FP32).unlink()
    for _ in range(2):
        with pytest.raises(ArtifactError, match="does not compute what the Keras") as error:
            verify("memory://differing")
        (result,) = error.value.results
        assert "now called" not in result.error
        assert (result.outcome, result.path) == ("failed", f"memory://differing/{FP32}")
        assert {path.rpartition("/")[2] for path in memory.find("/differing")} == names
