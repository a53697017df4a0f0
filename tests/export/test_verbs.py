"""`keras_ghostnet.export.export` and `verify` for models and images in memory."""

import keras
import numpy as np
import pytest

from keras_ghostnet import files
from keras_ghostnet.export import ArtifactError, export, sidecar, verify
from keras_ghostnet.preprocessing import normalize
from tests.export.command import FP32, INT8
from tests.export.conftest import patches


@pytest.fixture(scope="module")
def labeled(small):
    """Pixels, and the classes that the small network clearly sees in them."""
    pixels = patches(160, 32)
    outputs = small.predict(normalize(pixels), verbose=0)
    margin = np.abs(outputs[:, 1] - outputs[:, 0])
    clear = margin > np.median(margin)
    return pixels[clear], outputs[clear].argmax(axis=-1)


@pytest.fixture(scope="module")
def in_memory(small, labeled, tmp_path_factory):
    """A folder, and the results of exporting to it."""
    folder = tmp_path_factory.mktemp("in_memory")
    names = ("tflite_fp32", "tflite_int8")
    return folder, export(small, folder, names, data=labeled, labels=("ant", "bee"), io="uint8")


def test_a_model_and_images_in_memory(in_memory):
    folder, results = in_memory
    assert [result.path for result in results] == [folder / FP32, folder / INT8]
    assert [result.error for result in results] == [None, None]
    assert all(result.verification.accuracy == 1 for result in results)
    content = sidecar.require(folder / INT8)
    assert content["labels"] == ["ant", "bee"]
    assert content["inputs"][0]["dtype"] == "uint8"
    # Half of the 80 images calibrate, the other half verifies.
    assert content["calibration"]["images"] == content["verification"]["images"] == 40
    assert content["calibration"]["sha256"] != content["verification"]["sha256"]
    assert content["preprocessing"]["crop"] == 0.875


@pytest.mark.parametrize("name", ["..", "a/../b [x]"])
def test_names_of_models_stay_within_the_folder(name, small, labeled, tmp_path):
    model = keras.Model(small.inputs[0], small.outputs[0])
    model.name = name  # as a file may hold it
    folder = tmp_path / "deep" / "out"
    export(model, folder, ["tflite_fp32", "saved_model"], data=labeled)
    assert [path.name for path in tmp_path.iterdir()] == ["deep"]
    assert [path.name for path in folder.parent.iterdir()] == ["out"]
    stem = files.file_name(name)
    files.remove(folder / stem)  # the SavedModel, whose runtime takes seconds to start
    assert {f"{stem}_fp32.tflite", f"{stem}.keras"} < {path.name for path in folder.iterdir()}
    assert len(verify(folder, data=labeled)) == 1


def test_nothing_is_printed_without_a_console(small, labeled, tmp_path, capfd):
    export(small, tmp_path, "tflite_fp32", data=labeled)
    verify(tmp_path, data=labeled)
    assert capfd.readouterr() == ("", "")


def test_they_are_verified_again(in_memory, labeled):
    folder, results = in_memory
    again = verify(folder, data=labeled)
    assert {result.format for result in again} == {result.format for result in results}
    with pytest.raises(FileNotFoundError, match="They were arrays in memory"):
        verify(folder)


def test_a_failure_raises_with_the_results_of_all(in_memory, labeled, tmp_path):
    folder, _ = in_memory
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    with (tmp_path / FP32).open("ab") as file:
        file.write(b"x")
    with pytest.raises(ArtifactError, match=r"tflite_fp32: .* is not the file that was") as caught:
        verify(tmp_path, data=labeled)
    outcome = {result.format: result.error is None for result in caught.value.results}
    assert outcome == {"tflite_fp32": False, "tflite_int8": True}


def test_calibration_in_memory(small, labeled, tmp_path):
    (result,) = export(small, tmp_path, calibration=labeled[0])
    assert result.format == "tflite_int8"
    assert result.verification.accuracy is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda pixels, labels: (pixels.astype("float32"), labels), r"must hold pixels, uint8"),
        (lambda pixels, labels: (pixels[:, :31], labels), r"uint8 \(n, 32, 32, 3\)"),
        (lambda pixels, labels: (pixels, labels[1:]), r"must be integers \(80,\).*\(79,\)"),
        (lambda pixels, labels: (pixels, labels * 0.5), r"must be integers.*float64"),
        (lambda pixels, labels: (pixels, labels + 1), r"labels must be 0 to 1. Found 1 to 2"),
    ],
)
def test_arrays_that_do_not_fit(change, message, small, labeled, tmp_path):
    with pytest.raises(ValueError, match=message):
        export(small, tmp_path, "tflite_fp32", data=change(*labeled))
    assert not any(tmp_path.iterdir())


def test_training_needs_a_source(small, labeled, tmp_path):
    with pytest.raises(ValueError, match="Name a source of them"):
        export(small, tmp_path, "tflite_int8_qat", data=labeled)
