"""Images for calibration: which files, which of them, and which half."""

import numpy as np
import pytest

from keras_ghostnet.export import images, samples
from keras_ghostnet.export.images import Images, from_files, list_files, split_in_halves
from tests.training.photographs import encode, picture, rotated

SIZE = (8, 8)


def test_a_folder_is_listed_as_training_lists_it(tmp_path):
    for name in ("b.JPG", "sub/a", "._b.jpg", ".ipynb_checkpoints/b.jpg", "__MACOSX/b.jpg"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(encode(picture(16, 16)))
    (tmp_path / "notes.txt").write_text("no image")
    (tmp_path / "broken.png").write_bytes(b"<html>")  # one of few: left out
    assert list_files(tmp_path) == [tmp_path / name for name in ("b.JPG", "broken.png", "sub/a")]
    assert from_files(tmp_path, SIZE, crop=1.0).pixels.shape == (2, *SIZE, 3)


def test_too_many_broken_files_are_refused(tmp_path):
    for number in range(6):
        (tmp_path / f"{number}.jpg").write_bytes(b"<html>")
    with pytest.raises(ValueError, match=r"6 of 6 examples cannot be used"):
        from_files(tmp_path, SIZE, crop=1.0)


def test_photographs_are_rotated(tmp_path):
    (tmp_path / "upright.jpg").write_bytes(encode(picture(16, 16)))
    (tmp_path / "rotated.jpg").write_bytes(rotated(picture(16, 16), 3))
    upside_down, upright = from_files(tmp_path, (16, 16), crop=1.0).pixels
    np.testing.assert_array_equal(upside_down, upright[::-1, ::-1])


@pytest.mark.parametrize("count", [40, 41])
def test_halves_hold_both_of_two_classes_that_alternate(count):
    pixels = np.arange(count, dtype="uint8")
    halves = split_in_halves(Images("alternating", pixels, pixels % 2))
    assert sorted(np.concatenate([half.pixels for half in halves])) == list(range(count))
    for half in halves:
        assert len(half.pixels) in (count // 2, count - count // 2)
        assert 0.2 < half.labels.mean() < 0.8


def test_a_sample_of_a_large_folder_holds_both_of_two_classes_that_alternate(tmp_path, monkeypatch):
    monkeypatch.setattr(images, "MOST", 20)
    colors = {"cat": 0, "dog": 255}
    for number in range(40):
        name = ("cat", "dog")[number % 2]
        color = np.full((8, 8, 3), colors[name], "uint8")
        (tmp_path / f"{number:02}_{name}.png").write_bytes(encode(color, "PNG"))
    pixels = from_files(tmp_path, SIZE, crop=1.0).pixels
    assert len(pixels) == 20
    assert 0.2 < (pixels == 255).mean() < 0.8


def test_arrays_of_pixels_in_files(tmp_path):
    pixels = np.zeros((3, *SIZE, 3), "uint8")
    np.save(tmp_path / "one.npy", pixels)
    np.savez(tmp_path / "one.npz", anything=pixels)
    np.savez(tmp_path / "named.npz", labels=np.zeros(3), images=pixels)
    for name in ("one.npy", "one.npz", "named.npz"):
        np.testing.assert_array_equal(from_files(tmp_path / name, SIZE, crop=1.0).pixels, pixels)
    np.savez(tmp_path / "two.npz", a=pixels, b=pixels)
    (tmp_path / "photo.jpg").write_bytes(encode(picture(8, 8)))
    (tmp_path / "empty.npy").touch()
    whole = (tmp_path / "one.npz").read_bytes()
    (tmp_path / "cut.npz").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "named.npy").write_bytes(whole[:9])
    with (tmp_path / "huge.npy").open("wb") as file:
        header = dict(descr="|u1", fortran_order=False, shape=(10**9, *SIZE, 3))
        np.lib.format.write_array_header_1_0(file, header)
    broken = ("photo.jpg", "empty.npy", "cut.npz", "named.npy", "huge.npy")
    other = dict.fromkeys(broken, "another kind of file, or a damaged one")
    for name, found in {"two.npz": "arrays a, b", **other}.items():
        with pytest.raises(ValueError, match=f"must be a folder of images.* Found: {found}"):
            from_files(tmp_path / name, SIZE, crop=1.0)


@pytest.fixture
def few_photos(tmp_path):
    """A folder of 60 photos of two classes, of which a tenth is held out."""
    for number in range(60):
        path = tmp_path / "photos" / ("ant", "bee")[number % 2] / f"{number:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode(np.full((16, 16, 3), number, "uint8"), "PNG"))
    return tmp_path / "photos"


@pytest.mark.parametrize(
    ("is_calibrated", "training", "calibration"), [(False, 54, 0), (True, 22, 32)]
)
def test_training_images_join_few_held_out_ones(few_photos, is_calibrated, training, calibration):
    settings = dict(crop=1.0, seed=0)
    held_out = images.from_source(few_photos, "val", SIZE, count=samples.HELD_OUT, **settings)
    count = samples.reserve(few_photos, held_out, seed=0, is_calibrated=is_calibrated)
    sample = samples.with_training(held_out, few_photos, SIZE, count=count, **settings)
    assert sample.composition == f"6 held-out and {training} training images"
    assert sample.describe()["training_images"] == training
    np.testing.assert_array_equal(sample.held_out.pixels, held_out.pixels)
    assert (len(sample.labels), sample.held_out.origin) == (6, held_out.origin)
    rest = images.from_source(
        few_photos, "train", SIZE, count=samples.CALIBRATION, reserved=count, **settings
    ) if calibration else Images("", np.zeros((0, *SIZE, 3), "uint8"))  # fmt: skip
    assert len(rest.pixels) == calibration
    shades = [*sample.pixels[:, 0, 0, 0], *rest.pixels[:, 0, 0, 0]]
    assert sorted(shades) == list(range(60))  # each once
    again = samples.reopen(sample.origin, SIZE, crop=1.0)
    np.testing.assert_array_equal(again.pixels, sample.pixels)
    assert (again.training, again.composition) == (training, sample.composition)


def test_enough_held_out_images_stay_alone(few_photos):
    held_out = Images("val", np.zeros((samples.ENOUGH, *SIZE, 3), "uint8"))
    assert samples.reserve(few_photos, held_out, seed=0, is_calibrated=True) == 0
    assert samples.with_training(held_out, few_photos, SIZE, count=0) is held_out
    assert held_out.composition == "100 held-out images"
    assert "training_images" not in held_out.describe()
