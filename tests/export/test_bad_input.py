"""What `ghostnet export` refuses, and what a failed or killed one leaves."""

import os
import re
import shutil
import signal
import subprocess
import sys

import keras
import numpy as np
import pytest

from keras_ghostnet.export import artifacts, destination, exporting, formats, sidecar
from keras_ghostnet.export.graph import for_tracing
from tests.export.command import FORMATS, FP32, INT8, export, ghostnet
from tests.export.test_verify import same_padding_at_stride_2

REFUSED = {
    "unknown format": (["--formats", "tflite_in8"], "Did you mean 'tflite_int8'"),
    "an option of no format": (["--layout", "NCHW"], "takes --layout"),
    "no folder": (["--out", "/proc/exports"], "/proc/exports cannot be written to"),
    "no images": (["--data", "nowhere"], "There is no folder nowhere"),
    "no calibration": (["--calibration", "nowhere"], "no calibration images at nowhere"),
    "no libraries": (["--formats", "web", "--vendor", "nowhere"], "with: npm pack @litertjs/core"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_bad_arguments(case, run_dir, tmp_path, monkeypatch, capfd):
    """Told before the deployment graph is made."""
    monkeypatch.setattr(exporting, "export_artifacts", lambda *_, **__: 1 / 0)
    arguments, message = REFUSED[case]
    assert export(run_dir, tmp_path / "a" / "b", *arguments) == 1
    assert message in capfd.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("ghostnet_10", "Did you mean 'ghostnet_100'"),
        ("nowhere/run", "There is no model nowhere/run"),
    ],
)
def test_unknown_model(model, message, tmp_path, capfd):
    assert export(model, tmp_path) == 1
    assert message in capfd.readouterr().err


def test_a_model_without_images(run_dir, tmp_path, capfd):
    model = shutil.copy(run_dir / "model.keras", tmp_path)  # where nothing says what it saw
    assert export(model, tmp_path / "out") == 1
    assert "Name a source of them with --data" in capfd.readouterr().err


def test_missing_extra(run_dir, tmp_path, monkeypatch, capfd):
    monkeypatch.setitem(formats.PACKAGES, "tflite", ("no_such_package",))
    assert export(run_dir, tmp_path) == 1
    err = capfd.readouterr().err
    assert "tflite_fp32 needs no_such_package, which is not installed" in err
    assert 'pip install "keras_ghostnet[tflite]"' in err


@pytest.mark.parametrize("command", ["verify", "predict"])
def test_missing_runtime_of_an_artifact(command, exported, run_dir, monkeypatch, capfd):
    monkeypatch.setitem(formats.PACKAGES, "tflite", ("no_such_package",))
    words = [exported] if command == "verify" else [exported / FP32, run_dir / "photos"]
    assert ghostnet(command, *words) == 1
    lines = capfd.readouterr().err.splitlines()
    assert any("needs no_such_package" in line and "[tflite]" in line for line in lines)
    assert all(line.startswith("ghostnet: ") for line in lines)


@pytest.mark.parametrize("name", ["ncnn_fp16", "onnx_fp32", "openvino_fp32", "tflite_int8_qat"])
def test_running_takes_no_converter(name, monkeypatch):
    fmt = formats.get_format(name)
    for extra in fmt.extra.split(","):
        needed = [name for name in formats.PACKAGES[extra] if name not in formats.CONVERTERS]
        monkeypatch.setitem(formats.PACKAGES, extra, (*needed, "no_such_converter"))
    monkeypatch.setattr(formats, "CONVERTERS", ("no_such_converter",))
    formats.require_runtime(fmt)
    with pytest.raises(ImportError, match="no_such_converter"):
        formats.require_packages(fmt)


@pytest.mark.skipif(
    not formats.missing_packages(formats.get_format("tensorrt")), reason="TensorRT is here"
)
def test_missing_tensorrt(run_dir, tmp_path, capfd):
    assert export(run_dir, tmp_path, names="tensorrt") == 1
    assert "tensorrt-cu13" in capfd.readouterr().err


def test_too_few_calibration_images(run_dir, tmp_path, capfd):
    np.save(tmp_path / "few.npy", np.zeros((31, 32, 32, 3), "uint8"))
    arguments = ("--calibration", tmp_path / "few.npy")
    assert export(run_dir, tmp_path / "out", *arguments, names="tflite_int8") == 1
    assert "at least 32 images" in capfd.readouterr().err


def test_an_array_that_does_not_fit(run_dir, tmp_path, capfd):
    np.save(tmp_path / "floats.npy", np.zeros((40, 32, 32, 3)))
    arguments = ("--calibration", tmp_path / "floats.npy")
    assert export(run_dir, tmp_path / "out", *arguments, names="tflite_int8") == 1
    assert "must hold pixels, uint8 (n, 32, 32, 3)" in capfd.readouterr().err


def changed(run_dir, tmp_path, change):
    """The run with other weights in its last layer."""
    run = shutil.copytree(run_dir, tmp_path / "changed")
    model = keras.models.load_model(run / "model.keras")
    model.layers[-1].set_weights([change(weight) for weight in model.layers[-1].get_weights()])
    model.save(run / "model.keras")
    return run


def test_weights_that_are_not_finite(run_dir, tmp_path, capfd):
    run = changed(run_dir, tmp_path, lambda weight: weight * np.nan)
    assert export(run, tmp_path / "out") == 1
    assert "The layer predictions has a kernel that is not finite" in capfd.readouterr().err


def test_names_that_no_graph_takes(small, tmp_path):
    """Keras takes them, and fails at them only in the middle of an export."""
    inputs = keras.Input(small.input_shape[1:])
    hidden = keras.layers.Conv2D(4, 3, name="my conv")(inputs)
    hidden = keras.layers.GlobalAveragePooling2D(name="mean (all)")(hidden)
    model = keras.Model(inputs, keras.layers.Dense(2)(hidden))
    with pytest.raises(ValueError, match=r"no layer called 'my conv', 'mean \(all\)': names have"):
        exporting.export(model, tmp_path / "out", calibration=np.zeros((2, 64, 64, 3), "uint8"))
    assert not list(tmp_path.iterdir())


def test_an_untrained_model_for_int8(run_dir, tmp_path, capfd):
    run = changed(run_dir, tmp_path, np.zeros_like)
    assert export(run, tmp_path / "out", names="tflite_int8") == 1
    err = capfd.readouterr().err
    assert re.search(r"small seems to be untrained: it recognizes \d\d of 32 images", err)
    assert "--allow-untrained" in err


def test_an_existing_version(copied, run_dir, capfd):
    before = sidecar.artifact_hash(copied / "small" / "1")
    assert export(run_dir, copied, "--version", 1, names="saved_model") == 1
    assert "has a version 1 of small, which is not overwritten" in capfd.readouterr().err
    assert sidecar.artifact_hash(copied / "small" / "1") == before


@pytest.fixture
def full(tmp_path):
    """A disk of 512 KiB."""
    folder = tmp_path / "full"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("a small disk cannot be mounted: that takes root")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_leaves_the_previous_artifact(full, exported, run_dir, monkeypatch, capfd):
    for name in (FP32, f"{FP32}.json", "small.keras"):
        shutil.copy(exported / name, full)
    before = (full / FP32).read_bytes()
    free = shutil.disk_usage(full).free
    (full / "filler").write_bytes(b"x" * (free - 4096))
    assert export(run_dir, full) == 1
    assert "MB left; the export needs about" in capfd.readouterr().err
    monkeypatch.setattr(destination, "check_space", lambda *_: None)  # it fills up meanwhile
    assert export(run_dir, full) == 1
    assert "No space left on device" in capfd.readouterr().err
    assert (full / FP32).read_bytes() == before
    assert not [path for path in full.iterdir() if path.name.startswith(".partial")]


KILLED = """
import sys, time
from keras_ghostnet import cli
from keras_ghostnet.export import artifacts

def stop(path, *_):
    print("written", path, file=sys.__stdout__, flush=True)
    time.sleep(600)

artifacts.verify_artifact = stop
cli.main(cli.parse(["ghostnet", "export", *sys.argv[1:], "--formats", "tflite_fp32"]))
"""


def test_a_killed_export_leaves_the_previous_artifact(copied, run_dir):
    before = (copied / FP32).read_bytes()
    names = {path.name for path in copied.iterdir()}
    command = [sys.executable, "-c", KILLED, run_dir, "--out", copied]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    written = any(line.startswith("written") for line in process.stdout)
    assert written, process.communicate()
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    left = {path.name for path in copied.iterdir()} - names
    assert left
    assert all(name.startswith(".partial") for name in left)
    assert (copied / FP32).read_bytes() == before
    assert export(run_dir, copied, names="tflite_int8") == 0  # whatever it exports
    assert {path.name for path in copied.iterdir()} == names


def test_what_fails_leaves_the_previous_artifacts(copied, run_dir, monkeypatch, capfd):
    before = sidecar.artifact_hash(copied)
    faulty = lambda model: same_padding_at_stride_2(for_tracing(model))
    monkeypatch.setattr(artifacts, "for_tracing", faulty)
    assert export(run_dir, copied, names=",".join(FORMATS)) == 1
    out, err = capfd.readouterr()
    assert out.count("failed") == 2 * len(FORMATS)
    assert err.count("does not compute what the Keras model computes") == len(FORMATS)
    assert sidecar.artifact_hash(copied) == before


def test_after_a_format_that_fails_the_others_go_on(run_dir, tmp_path, monkeypatch, capfd):
    def write(deployed, fmt, *arguments, **options):
        1 / (fmt.name != "tflite_fp32")
        sound(deployed, fmt, *arguments, **options)

    sound = formats.write
    monkeypatch.setattr(formats, "write", write)
    assert export(run_dir, tmp_path, names="tflite_fp32,tflite_int8") == 1
    out, err = capfd.readouterr()
    assert out.count("passed") == 1
    assert "ghostnet: tflite_fp32: ZeroDivisionError: division by zero" in err
    assert not (tmp_path / FP32).exists()
    assert (tmp_path / INT8).is_file()


def test_a_calibration_image_that_cannot_be_decoded(run_dir, tmp_path, capfd):
    (tmp_path / "flat").mkdir()
    (tmp_path / "flat" / "broken.jpg").write_bytes(b"not an image")
    arguments = ("--calibration", tmp_path / "flat")
    assert export(run_dir, tmp_path / "out", *arguments, names="tflite_int8") == 1
    assert "broken.jpg cannot be used" in capfd.readouterr().err


def test_training_needs_labels(run_dir, tmp_path, capfd):
    model = shutil.copy(run_dir / "model.keras", tmp_path)
    arguments = ("--calibration", run_dir / "photos")
    assert export(model, tmp_path / "out", *arguments, names="tflite_int8_qat") == 1
    assert (
        "needs labeled training images. Name a source of them with --data" in capfd.readouterr().err
    )


def test_a_model_of_unknown_layers(run_dir, tmp_path, capfd):
    @keras.saving.register_keras_serializable(package="elsewhere")
    class Unknown(keras.layers.Layer):
        def call(self, inputs):
            return inputs

    inputs = keras.Input((32, 32, 3))
    keras.Model(inputs, Unknown(name="unknown")(inputs)).save(tmp_path / "model.keras")
    keras.saving.get_custom_objects().pop("elsewhere>Unknown")
    arguments = ("--data", run_dir / "photos")
    assert export(tmp_path / "model.keras", tmp_path / "out", *arguments) == 1
    assert "cannot be loaded" in capfd.readouterr().err
