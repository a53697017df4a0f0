"""Every format, for both families."""

import keras
import numpy as np
import pytest

from keras_ghostnet import files
from keras_ghostnet.export import formats, tflite
from keras_ghostnet.export.verify import compare, verify

FLOAT = [fmt for fmt in formats.FORMATS if fmt.dtype == "float32"]
TFLITE = formats.find("tflite_float32")
INT8 = formats.find("tflite_int8")


@pytest.mark.parametrize("fmt", FLOAT, ids=lambda fmt: fmt.name)
def test_float_artifacts_compute_the_same(fmt, artifacts, images, reference):
    result = verify(artifacts[fmt.name], fmt, images, reference.labels, reference.outputs)
    assert result.max_error < 1e-4
    assert result.agreement == 1
    assert result.accuracy == reference.accuracy


def test_int8_computes_nearly_the_same(artifacts, images, reference):
    # An untrained network hardly tells its classes apart: `verify` would ask for too much.
    outputs = formats.load(artifacts[INT8.name], INT8)(images)
    result = compare(outputs, reference.outputs, reference.labels, INT8)
    assert result.max_error < 2
    assert result.cosine > 0.95


def test_names_and_nothing_else(artifacts, model):
    folder = artifacts["saved_model"].parent
    expected = [model.name + fmt.suffix for fmt in formats.FORMATS]
    assert sorted(path.name for path in folder.iterdir()) == sorted(expected)


@pytest.mark.parametrize("name", ["tflite_float32", "tflite_int8"])
def test_tflite_has_only_plain_operators(name, artifacts):
    found = tflite.operators(artifacts[name].read_bytes())
    assert found["CONV_2D"] >= 50
    # Shapes computed at run time, conversions between types, and what is not built in.
    for operator in ("SHAPE", "PACK", "STRIDED_SLICE", "QUANTIZE", "DEQUANTIZE", "CUSTOM"):
        assert found[operator] == 0
    # The batch norms are folded: additions are those of the bottlenecks.
    assert found["ADD"] <= 16


def test_int8_is_int8_from_input_to_output(artifacts, model):
    runner = formats.load(artifacts[INT8.name], INT8)
    assert runner.input["dtype"] == runner.output["dtype"] == np.int8
    assert runner.input["shape"].tolist() == [1, 64, 64, 3]
    assert files.size(artifacts[INT8.name]) < 0.4 * files.size(artifacts[TFLITE.name])


def test_saved_model_takes_any_batch(artifacts, images):
    runner = formats.load(artifacts["saved_model"], formats.find("saved_model"))
    np.testing.assert_allclose(runner(images, batch_size=5), runner(images), atol=1e-5)


@pytest.mark.parametrize("fmt", formats.FORMATS, ids=lambda fmt: fmt.name)
def test_single_runs_one_image(fmt, artifacts, images):
    formats.load(artifacts[fmt.name], fmt).single(images[0])()


def test_nothing_is_left_of_a_failure(toy, tmp_path, monkeypatch):
    path = formats.export_model(toy, TFLITE, tmp_path)
    before = path.read_bytes()
    monkeypatch.setattr(tflite, "_check", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        formats.export_model(toy, TFLITE, tmp_path)
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]
    assert path.read_bytes() == before


def test_exports_are_quiet(toy, tmp_path, capfd):
    calibration = np.zeros((2, 8, 8, 3), "float32")
    for fmt in formats.FORMATS:
        formats.load(formats.export_model(toy, fmt, tmp_path, calibration), fmt)
    assert capfd.readouterr() == ("", "")


def test_int8_needs_calibration(toy, tmp_path):
    with pytest.raises(ValueError, match="needs calibration images"):
        formats.export_model(toy, INT8, tmp_path)


def test_tflite_needs_a_size(tmp_path):
    inputs = keras.Input((None, None, 3))
    model = keras.Model(inputs, keras.layers.GlobalAveragePooling2D(name="pool")(inputs))
    with pytest.raises(ValueError, match="fixed image size"):
        formats.export_model(model, TFLITE, tmp_path)


def test_a_file_of_the_wrong_type_is_refused(toy, tmp_path):
    path = formats.export_model(toy, TFLITE, tmp_path)
    with pytest.raises(ValueError, match="input is float32, expected int8"):
        tflite._check(path.read_bytes(), "int8")


def test_unknown_format():
    with pytest.raises(ValueError, match="Choose one of: saved_model, tflite_float32"):
        formats.find("pickle")


@pytest.fixture
def toy():
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(4, 3, name="conv")(inputs)
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    return keras.Model(inputs, keras.layers.Dense(2, name="predictions")(x), name="toy")
