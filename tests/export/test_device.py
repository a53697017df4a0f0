"""The file for devices reads images as evaluation does."""

import json

import numpy as np
import pytest

from keras_ghostnet.export import images, preprocessing
from keras_ghostnet.export.device import run
from keras_ghostnet.preprocessing import normalize
from tests.export.networks import short_network
from tests.training.photographs import encode, picture, rotated


class Model:
    """What is known of a model when its images are read."""

    def __init__(self, path):
        self.path = path


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "a.jpg").write_bytes(encode(picture(90, 150)))
    (folder / "b.png").write_bytes(encode(picture(130, 70), "PNG"))
    (folder / "c.jpg").write_bytes(rotated(picture(80, 120), 6))
    (folder / ".hidden").write_text("no image")
    return folder


@pytest.fixture
def model(tmp_path):
    """A function that writes the JSON file of a model."""

    def write(folded, crop=0.875):
        described = preprocessing.describe(short_network("ghostnet_050"), crop, folded)
        (tmp_path / "model.tflite.json").write_text(json.dumps({"preprocessing": described}))
        return Model(tmp_path / "model.tflite")

    return write


def test_image_files_are_seen_as_in_evaluation(photos, model):
    for crop in (0.875, 1.0):
        expected = np.stack(
            [images.read_file(path, (64, 64), crop) for path in sorted(photos.glob("?.*"))]
        ).astype("float32")
        found = run.read_inputs(str(photos), model(True, crop))
        assert found.dtype == np.float32
        # Pillow rounds to gray levels after either axis.
        np.testing.assert_allclose(found, expected, atol=2)
        assert np.abs(found - expected).mean() < 0.3
    found = run.read_inputs(str(photos / "b.png"), model(False, 1.0))
    np.testing.assert_allclose(found, normalize(expected[1:2]), atol=2 / 255 / 0.224)


def test_arrays_are_taken_as_they_are(tmp_path, model):
    array = np.arange(24, dtype="int8").reshape(1, 2, 4, 3)
    np.save(tmp_path / "images.npy", array)
    np.savez(tmp_path / "images.npz", array)
    for name in ("images.npy", "images.npz"):
        np.testing.assert_array_equal(run.read_inputs(str(tmp_path / name), model(False)), array)


def test_what_is_no_image_is_named(tmp_path, photos, model):
    (tmp_path / "notes.txt").write_text("no image")
    with pytest.raises(ValueError, match=r"notes\.txt is no image that Pillow can read"):
        run.read_inputs(str(tmp_path / "notes.txt"), model(False))
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="empty holds no images"):
        run.read_inputs(str(tmp_path / "empty"), model(False))
    with pytest.raises(FileNotFoundError, match=r"alone\.tflite\.json.*Copy it, too"):
        run.read_inputs(str(photos), Model(tmp_path / "alone.tflite"))


def test_no_program_is_started_for_an_image(tmp_path, model):
    """Pillow would start Ghostscript for PostScript, whatever the file is called."""
    (tmp_path / "x.png").write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EOF\n")
    with pytest.raises(ValueError, match="is no image that Pillow can read: cannot identify"):
        run.read_inputs(str(tmp_path / "x.png"), model(False))


def test_a_damaged_table_is_told_in_a_line(tmp_path, capsys):
    for text in ("{}", "[]", '{"models": [{}], "schema": 2}', '{"models": 1}'):
        (tmp_path / "models.json").write_text(text)
        assert run.main([str(tmp_path / "models.json"), "--csv", str(tmp_path / "x.csv")]) == 1
        assert capsys.readouterr().err.startswith("error: a file is damaged")
