"""The example of a segmenter: trained on a CPU, exported and drawn."""

import importlib.util

import numpy as np
import PIL.Image
import pytest

from keras_ghostnet.export import sidecar
from tests.test_documents import ROOT


@pytest.fixture(scope="module")
def example():
    spec = importlib.util.spec_from_file_location("segmentation", ROOT / "examples/segmentation.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("ink_alone", [False, True])
def test_scenes_show_the_digits_of_their_maps(example, ink_alone):
    digits = np.zeros((2, 8, 8))
    digits[1, 2:6, 2:6] = 16  # the second is ink, the first is none
    labels = np.array([3, 7])
    pixels, classes = example.make_scenes(8, digits, labels, 0, ink_alone)
    assert pixels.shape == (*classes.shape, 3) == (8, 96, 96, 3)
    brightness = pixels.mean(axis=-1)
    dark = np.mean(brightness[classes == 8] < 100)
    if ink_alone:
        assert set(np.unique(classes)) == {0, 8}
        assert dark > 0.5
    else:
        assert set(np.unique(classes)) == {0, 4, 8}
        assert brightness[classes == 4].min() > 100
        assert 0.1 < dark < 0.4
    again, _ = example.make_scenes(8, digits, labels, 0, ink_alone)
    np.testing.assert_array_equal(pixels, again)


@pytest.mark.thorough
def test_it_reaches_its_figure_and_is_exported(example, tmp_path):
    found = example.main(tmp_path)
    assert set(found) == {"Keras", "tflite_fp32", "tflite_int8"}
    assert min(found.values()) >= 0.85
    content = sidecar.require(tmp_path / "exports" / "ghostnet_050_lr_aspp_int8.tflite")
    assert content["labels"] == list(example.CLASSES)
    with PIL.Image.open(tmp_path / "run" / "predictions.png") as picture:
        assert min(picture.size) > 300
