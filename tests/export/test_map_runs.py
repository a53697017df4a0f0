"""A run on images with maps: exported, verified and quantized as it lies there."""

import numpy as np
import pytest

from keras_ghostnet.export import export, sidecar, verify
from keras_ghostnet.training import classifiers, evaluate, train
from tests.export.command import ghostnet
from tests.training.scenes import CLASSES, write_folder
from tests.training.test_segmentation import SETTINGS, small_segmenter

pytestmark = pytest.mark.thorough  # test_maps.py holds the same of arrays


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_folder(tmp_path_factory.mktemp("maps") / "scenes", 48, 40)


@pytest.fixture(scope="module")
def run(folder, tmp_path_factory):
    path = tmp_path_factory.mktemp("run") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(classifiers, "build_classifier", small_segmenter)
        train("segmentation", folder, path, settings=(*SETTINGS, "epochs=5"))
    return path


def test_exported_and_verified_on_the_run_s_own_images(run, folder, tmp_path):
    results = export(run, tmp_path, ["tflite_fp32", "tflite_int8"])
    expected = evaluate(run, folder).mean_iou
    assert expected > 0.6
    for result in results:
        tolerance = 1e-3 if result.format == "tflite_fp32" else 0.02
        # Images are rounded to pixels here.
        assert result.verification.mean_iou == pytest.approx(expected, abs=tolerance + 0.01)
        assert result.verification.agreement > 0.95
    assert sidecar.require(results[0].path)["labels"] == list(CLASSES)
    assert [each.verification.mean_iou for each in verify(tmp_path)] == [
        pytest.approx(each.verification.mean_iou) for each in results
    ]


def test_quantized_with_rounding(run, folder, tmp_path, capsys):
    words = ("--data", folder, "--epochs", "2", "--batch-size", "8", "--distillation", "0.5")
    assert ghostnet("quantize", run, *words) == 0
    printed = capsys.readouterr().out
    assert "mean IoU" in printed
    assert "int8 QAT" in printed
    (result,) = export(run, tmp_path, "tflite_int8_qat")  # takes the file that is there
    assert result.verification.mean_iou > 0.6
    assert np.isfinite(result.verification.max_error)
    (again,) = export(run / "model.keras", tmp_path / "b", "tflite_int8_qat", data=folder)
    assert again.verification.mean_iou > 0.6
