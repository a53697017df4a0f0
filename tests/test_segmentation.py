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


def test_scenes_show_the_digits_of_their_maps(example):
    digits = np.zeros((2, 8, 8))
    digits[1, 2:6, 2:6] = 16  # the second is ink, the first is none
    pixels, classes = example.make_scenes(8, digits, np.array([3, 7]), seed=0)
    assert pixels.shape == (*classes.shape, 3) == (8, 96, 96, 3)
    assert set(np.unique(classes)) == {0, 4, 8}
    brightness = pixels.mean(axis=-1)
    assert brightness[classes == 4].min() > 100
    assert 0.1 < np.mean(brightness[classes == 8] < 100) < 0.4
    again, _ = example.make_scenes(8, digits, np.array([3, 7]), seed=0)
    np.testing.assert_array_equal(pixels, again)


@pytest.mark.thorough
def test_it_reaches_its_figure_and_is_exported(example, tmp_path):
    found = example.main(tmp_path)
    assert set(found) == {"tflite_fp32", "tflite_int8"}
    assert min(found.values()) >= 0.85
    content = sidecar.require(tmp_path / "digit_segmenter_int8.tflite")
    assert content["labels"] == list(example.CLASSES)
    with PIL.Image.open(tmp_path / "segmentation.png") as picture:
        shown = np.asarray(picture)
    truth, maps = shown[len(shown) // 3 : 2 * len(shown) // 3], shown[2 * len(shown) // 3 :]
    assert np.mean((truth == maps).all(axis=-1)) > 0.9
