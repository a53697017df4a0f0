"""The digits as an image folder."""

import sys

import numpy as np
import PIL.Image
import pytest
from sklearn.datasets import load_digits

from keras_ghostnet.training.data.digits import write_digits


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_digits(tmp_path_factory.mktemp("data") / "digits")


def names(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*.png")}


def test_every_digit_once(folder):
    files = list(folder.rglob("*.png"))
    assert sorted(int(path.stem) for path in files) == list(range(1797))
    for split in ("train", "val"):
        assert sorted(path.name for path in (folder / split).iterdir()) == list("0123456789")


def test_pixels_and_labels(folder):
    digits = load_digits()
    for path in folder.rglob("*7.png"):
        index = int(path.stem)
        assert path.parent.name == str(digits.target[index])
        np.testing.assert_allclose(
            np.asarray(PIL.Image.open(path)), digits.images[index] * 255 / 16, atol=0.5
        )


def test_a_fifth_of_every_class_is_held_out(folder):
    for label in "0123456789":
        train = len(list((folder / "train" / label).iterdir()))
        val = len(list((folder / "val" / label).iterdir()))
        assert val == round((train + val) / 5)


def test_the_seed_decides(folder, tmp_path):
    assert names(write_digits(tmp_path / "same")) == names(folder)
    assert names(write_digits(tmp_path / "other", seed=1)) != names(folder)


def test_a_complete_folder_is_left_alone(tmp_path):
    folder = write_digits(tmp_path / "digits", images_per_class=5)
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    write_digits(folder, images_per_class=5)
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before
    assert [path.name for path in tmp_path.iterdir()] == ["digits"]


def test_a_foreign_folder_is_not_touched(tmp_path):
    (tmp_path / "photo.jpg").write_text("precious")
    with pytest.raises(FileExistsError, match="does not hold the digits"):
        write_digits(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["photo.jpg"]


def test_nothing_is_left_of_a_failure(tmp_path, monkeypatch):
    monkeypatch.setattr("keras_ghostnet.training.data.digits._write", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_digits(tmp_path / "digits")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("package", ["sklearn", "PIL"])
def test_missing_package(tmp_path, monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=r"keras_ghostnet\[train\]"):
        write_digits(tmp_path / "digits")


def test_too_few_images(tmp_path):
    with pytest.raises(ValueError, match="images_per_class=4"):
        write_digits(tmp_path / "digits", images_per_class=4)
