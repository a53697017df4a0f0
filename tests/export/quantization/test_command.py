"""`ghostnet quantize` from a run's file to the table."""

import argparse

import keras
import numpy as np
import pytest

from keras_ghostnet.cli import quantize
from keras_ghostnet.export import ArtifactError, export, tflite
from keras_ghostnet.export.quantization.run import find_trained_file
from tests.export.quantization.conftest import network

CLASSES = ("ant", "bee", "cow", "dog")


@pytest.fixture
def run(tmp_path):
    """A folder with a model, and one with images of its classes."""
    random = np.random.default_rng(0)
    for split, count in (("train", 8), ("val", 3)):
        for name in CLASSES:
            folder = tmp_path / "images" / split / name
            folder.mkdir(parents=True)
            for number in range(count):
                image = random.uniform(0, 255, (20, 20, 3))
                keras.utils.save_img(folder / f"{number}.png", image)
    (tmp_path / "run").mkdir()
    keras.utils.set_random_seed(0)
    network().save(tmp_path / "run" / "model.keras")
    return tmp_path


def export_or_refuse(model, folder, **options):
    """The result of exporting the trained file, also if verification refuses such a network."""
    try:
        (result,) = export(model, folder, "tflite_int8_qat", io="uint8", **options)
    except ArtifactError as error:
        (result,) = error.results
    return result


def ghostnet_quantize(*words):
    parser = argparse.ArgumentParser()
    quantize.arguments(parser)
    return quantize.run(parser.parse_args([str(word) for word in words]))


def test_a_run_is_quantized_and_compared(run, capfd):
    ghostnet_quantize(
        run / "run", "--data", run / "images", "--epochs", 1, "--batch-size", 8, "--io", "uint8"
    )
    output, errors = capfd.readouterr()
    assert errors == ""
    rows = [line.split() for line in output.splitlines()]
    rows = {" ".join(row[:2]): row[2:] for row in rows if len(row) > 2}
    assert {"int8 PTQ", "int8 QAT"} <= set(rows)
    assert "of 12 held-out images" in output
    assert "compared on 12 held-out images" in output
    runner = tflite.load(run / "run" / "model_int8_qat.tflite")
    assert runner.input["dtype"] == np.uint8
    model = keras.models.load_model(run / "run" / "model.keras")
    assert find_trained_file(run / "run", model) == run / "run" / "model_int8_qat.tflite"
    # The same file on the same images is the same figure in an export.
    results = export_or_refuse(run / "run", run / "exports", data=run / "images")
    assert f"{results.verification.accuracy:.2%}" == rows["int8 QAT"][0]
    assert f"{results.verification.agreement:.2%}" == rows["int8 QAT"][1]
    model.layers[-1].kernel.assign_add(model.layers[-1].kernel)
    assert find_trained_file(run / "run", model) is None


def test_other_classes_are_refused_before_training(run):
    (run / "images" / "train" / "elk").mkdir()
    (run / "images" / "val" / "elk").mkdir()
    for split in ("train", "val"):
        source = run / "images" / split / "ant" / "0.png"
        (run / "images" / split / "elk" / "0.png").write_bytes(source.read_bytes())
    with pytest.raises(ValueError, match=r"small.* \(None, 4\); .* has 5 classes"):
        ghostnet_quantize(run / "run", "--data", run / "images")


def test_a_missing_model_is_named(run):
    with pytest.raises(FileNotFoundError, match="There is no model"):
        ghostnet_quantize(run / "nothing", "--data", run / "images")
