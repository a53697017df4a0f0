"""`ghostnet export` and `ghostnet verify`: artifacts, their sidecars, what is proven."""

import importlib.metadata
import shutil

import keras
import numpy as np
import pytest

from keras_ghostnet import files, model_reference, registry
from keras_ghostnet.export import exporting, formats, sidecar
from keras_ghostnet.export.quantization.run import find_trained_file
from tests.export.command import FORMATS, FP32, INT8, export, ghostnet

OPTIONS = {"target": "arm"}  # the default, of what options a user leaves out


def test_the_folder(exported):
    assert sorted(path.name for path in exported.iterdir()) == [
        "batching.config", "models.config", "small", "small.keras",
        FP32, f"{FP32}.json", INT8, f"{INT8}.json",
    ]  # fmt: skip
    assert sorted(path.name for path in (exported / "small").iterdir()) == ["1", "1.json"]


def test_a_sidecar_says_what_an_artifact_is(exported, run_dir, small):
    content = sidecar.read(exported / f"{INT8}.json")
    assert content["format"] == "tflite_int8"
    assert content["sha256"] == sidecar.artifact_hash(exported / INT8)
    assert content["bytes"] == files.size(exported / INT8)
    assert content["source"]["sha256"] == sidecar.model_hash(small)
    (tensor,) = content["inputs"]
    assert (tensor["dtype"], tensor["shape"]) == ("int8", [1, 32, 32, 3])
    assert 0.01 < tensor["scale"] < 0.03
    preprocessing = content["preprocessing"]
    assert preprocessing["mean"] == [0.485, 0.456, 0.406]
    assert preprocessing["std"] == [0.229, 0.224, 0.225]
    assert (preprocessing["size"], preprocessing["crop"]) == ([32, 32], 1.0)
    assert (content["labels"], content["options"]) == (["ant", "bee"], OPTIONS)
    assert content["calibration"]["source"] == f"{run_dir / 'photos'}/train"
    # 40 are held out: of 40 training images calibration keeps as many as it needs.
    assert content["calibration"]["images"] == 32
    assert content["verification"]["images"] == 48
    assert content["verification"]["training_images"] == 8
    assert content["verification"]["accuracy"] == 1
    assert 0 < content["verification"]["typical_error"] < 0.06
    assert content["verification"]["max_error"] < 1  # of an image beyond 32 images' ranges
    assert content["versions"]["tensorflow"]
    saved_model = sidecar.read(exported / "small" / "1.json")
    assert saved_model["inputs"] == [
        {"name": "images", "shape": [None, 32, 32, 3], "dtype": "float32"}
    ]


def test_the_hash_of_a_model_is_that_of_its_file(exported, small):
    saved = keras.models.load_model(exported / "small.keras")
    assert sidecar.model_hash(saved) == sidecar.model_hash(small)
    kernel, bias = saved.layers[-1].get_weights()
    saved.layers[-1].set_weights([kernel, np.nextafter(bias, np.inf)])
    assert sidecar.model_hash(saved) != sidecar.model_hash(small)


def test_what_is_printed(run_dir, tmp_path, capfd):
    assert export(run_dir, tmp_path) == 0
    out, err = capfd.readouterr()
    assert err == ""
    lines = out.splitlines()
    assert len(lines) <= 12
    *lines, last = lines
    assert last == f"Next: ghostnet predict {tmp_path / FP32} IMAGE"
    assert max(map(len, lines)) <= 80
    (row,) = [line for line in lines if line.startswith(" tflite_fp32")]
    assert row.split()[-1] == "passed"


def test_verify_passes_what_was_exported(exported, capfd):
    assert ghostnet("verify", exported) == 0
    out, _ = capfd.readouterr()
    assert out.count("passed") == len(FORMATS)


def test_verify_finds_a_changed_artifact(copied, capfd):
    shutil.rmtree(copied / "small")
    with (copied / FP32).open("ab") as file:
        file.write(b"x")
    assert ghostnet("verify", copied) == 1
    out, err = capfd.readouterr()
    assert out.count("passed") == 1
    assert "small_fp32.tflite is not the file that was exported" in err


def test_verify_finds_another_model(copied, small, capfd):
    other = keras.models.clone_model(small)
    other.save(copied / "small.keras")
    assert ghostnet("verify", copied) == 1
    assert capfd.readouterr().err.count("is not the model that the") == len(FORMATS)


def test_verify_on_other_images(copied, run_dir, tmp_path, capfd):
    shutil.rmtree(copied / "small")
    other = shutil.copytree(run_dir / "photos", tmp_path / "other")
    assert ghostnet("verify", copied, "--data", other) == 0
    assert f"40 held-out and 8 training images of {other}" in " ".join(
        capfd.readouterr().out.split()
    )
    assert ghostnet("verify", copied, "--data", tmp_path / "nowhere") == 1
    assert "There is no folder" in capfd.readouterr().err


def other_run(run_dir, folder):
    """A run of a model of the same name, which is another one and computes the same."""
    run = shutil.copytree(run_dir, folder)
    model = keras.models.load_model(run / "model.keras")
    kernel, bias = model.layers[-1].get_weights()
    model.layers[-1].set_weights([kernel, bias + 1e-3])
    model.save(run / "model.keras")
    return run


def test_another_run_replaces_nothing(copied, run_dir, tmp_path, capfd):
    """Its artifacts of other formats are verified with a model of their own."""
    other = other_run(run_dir, tmp_path / "other")
    (copied / INT8).unlink(), (copied / f"{INT8}.json").unlink()
    before = sidecar.artifact_hash(copied)
    assert export(other, copied, names="tflite_int8,tflite_fp32") == 1
    err = capfd.readouterr().err
    assert f"artifacts of another model called small: {FP32} of {run_dir / 'model.keras'}" in err
    assert "--replace" in err
    assert sidecar.artifact_hash(copied) == before

    assert export(other, copied, names="tflite_int8,saved_model") == 0
    kept = {path.name for path in copied.glob("*.keras")}
    digest = sidecar.read(copied / f"{INT8}.json")["source"]["sha256"]
    assert kept == {"small.keras", f"small-{digest[:8]}.keras"}
    assert ghostnet("verify", copied) == 0
    assert capfd.readouterr().out.count("passed") == 2 + 4  # two versions of the SavedModel

    # When the last artifact of the first model is replaced, its file goes, too.
    shutil.rmtree(copied / "small" / "1"), (copied / "small" / "1.json").unlink()
    assert export(other, copied, "--replace") == 0
    assert {path.name for path in copied.glob("*.keras")} == {f"small-{digest[:8]}.keras"}
    assert ghostnet("verify", copied) == 0


def test_a_run_replaces_its_own_after_more_training(copied, run_dir, tmp_path):
    shutil.rmtree(copied / "small")
    run = shutil.copytree(run_dir, tmp_path / "run")
    assert export(run, copied, "--replace") == 0
    shutil.rmtree(run)
    other_run(run_dir, run)
    assert export(run, copied) == 0
    assert ghostnet("verify", copied) == 0


def test_int8_pixels_are_refused(run_dir, tmp_path, capfd):
    options = ("--io", "int8", "--fold-preprocessing")
    assert export(run_dir, tmp_path, *options, names="tflite_int8") == 1
    assert "has uint8 input and output" in capfd.readouterr().err
    assert not any(tmp_path.iterdir())


def test_verify_from_another_folder(run_dir, tmp_path, monkeypatch):
    """The images are found again whose paths were relative."""
    monkeypatch.chdir(run_dir)
    assert export("model.keras", tmp_path, "--data", "photos") == 0
    monkeypatch.chdir(tmp_path)
    assert ghostnet("verify", tmp_path) == 0


def test_verify_needs_artifacts(tmp_path, capfd):
    assert ghostnet("verify", tmp_path) == 1
    assert "holds no artifacts" in capfd.readouterr().err


def test_raw_pixels_and_uint8(run_dir, tmp_path):
    names = "tflite_fp32,tflite_int8"
    assert export(run_dir, tmp_path, "--fold-preprocessing", "--io", "uint8", names=names) == 0
    for name in (FP32, INT8):
        content = sidecar.read(tmp_path / f"{name}.json")
        (tensor,) = content["inputs"]
        assert (tensor["dtype"], tensor["scale"], tensor["zero_point"]) == ("uint8", 1, 0)
        assert content["preprocessing"]["normalization_in_artifact"]
    assert ghostnet("verify", tmp_path) == 0


def test_images_without_classes(run_dir, tmp_path, capfd):
    """A flat folder does for calibration; then there is no accuracy."""
    flat = tmp_path / "flat"
    flat.mkdir()
    for path in (run_dir / "photos").rglob("*.png"):
        shutil.copy(path, flat)
    model, out = shutil.copy(run_dir / "model.keras", tmp_path), tmp_path / "out"
    assert export(model, out, "--calibration", flat, names="tflite_int8") == 0
    content = sidecar.read(out / f"{INT8}.json")
    assert content["verification"]["accuracy"] is None
    assert content["calibration"]["images"] == content["verification"]["images"] == 40
    assert content["labels"] == ["0", "1"]
    assert ghostnet("verify", out) == 0


def test_a_published_model(tmp_path, monkeypatch, small):
    """Its name brings weights and the names of ImageNet's classes."""
    asked = []

    def create(name, weights, input_shape):
        asked.append((name, weights, input_shape))
        return small

    monkeypatch.setattr(registry, "create_model", create)
    source = model_reference.resolve_model("ghostnet_130")
    assert source.load() is small
    assert asked == [("ghostnet_130", "imagenet", (224, 224, 3))]
    assert source.labels[:2] == ("tench", "goldfish")
    assert (len(source.labels), source.crop, source.data) == (1000, 0.875, None)


def test_labels_of_a_file(run_dir, tmp_path, capfd):
    names = tmp_path / "labels.txt"
    names.write_text("Ameise\nBiene\n")
    assert export(run_dir, tmp_path / "out", "--labels", names) == 0
    assert sidecar.read(tmp_path / "out" / f"{FP32}.json")["labels"] == ["Ameise", "Biene"]
    names.write_text("Ameise\n")
    assert export(run_dir, tmp_path / "out", "--labels", names) == 1
    assert "small has 2 classes. Received 1 labels" in capfd.readouterr().err


def test_quantization_aware_training(run_dir, small, tmp_path, capfd):
    if formats.missing_packages(formats.get_format("tflite_int8_qat")):
        pytest.skip("tf_keras and TFMOT are missing")
    assert export(run_dir, tmp_path, "--io", "uint8", names="tflite_int8_qat") == 0
    content = sidecar.read(tmp_path / "small_int8_qat.tflite.json")
    assert content["inputs"][0]["dtype"] == content["outputs"][0]["dtype"] == "uint8"
    assert content["options"] == {"io": "uint8"}
    assert content["calibration"] is None
    assert ghostnet("verify", tmp_path) == 0

    # What was trained before is not trained again.
    run = shutil.copytree(run_dir, tmp_path / "run")
    for end in ("", ".json"):
        shutil.copy(tmp_path / f"small_int8_qat.tflite{end}", run / f"model_int8_qat.tflite{end}")
    assert find_trained_file(run, small) == run / "model_int8_qat.tflite"
    other = keras.models.clone_model(small)
    assert find_trained_file(run, other) is None
    out = tmp_path / "out"
    assert export(run, out, "--io", "uint8", names="tflite_int8_qat") == 0
    assert sidecar.read(out / "small_int8_qat.tflite.json")["sha256"] == content["sha256"]
    assert export(run, tmp_path / "other", names="tflite_int8_qat") == 1
    assert "input is uint8, expected int8" in capfd.readouterr().err


def test_extras_are_those_of_the_package():
    extras = set(importlib.metadata.metadata("keras_ghostnet").get_all("Provides-Extra"))
    named = {extra for fmt in formats.FORMATS for extra in fmt.extra.split(",")}
    assert named - {"tensorrt"} <= extras


def test_all_formats_that_can_be_made_here():
    chosen = {fmt.name for fmt in exporting.choose_formats(["all"], has_source=False)}
    possible = {fmt.name for fmt in formats.FORMATS if not formats.missing_packages(fmt)}
    assert chosen == possible - {"tflite_int8_qat"}
    assert {"saved_model", "tflite_int8"} <= chosen
