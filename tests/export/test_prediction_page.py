"""The masks on the page of `ghostnet predict`, and that everybody tells their colors apart."""

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

from keras_ghostnet.export.mask_pictures import COLORS, LOOKS, OTHERS, draw_mask
from keras_ghostnet.export.prediction import Mask, Prediction
from keras_ghostnet.export.prediction_page import render_page
from keras_ghostnet.training.data.label_maps import IGNORED, colors_of_classes

SIGHT = {  # what people see of linear RGB: Machado, Oliveira and Fernandes (2009), table 1
    "all colors": np.eye(3),
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
LABELS = tuple(f"<{number}>" for number in range(60))


def least_distance(colors, sight):
    """Between any two of some colors, in CIELAB (CIE 1976): 2.3 is just noticeable."""
    values = np.asarray(colors) / 255
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    xyz = np.clip(linear @ np.transpose(sight), 0, 1) @ XYZ.T / XYZ.sum(axis=1)
    f = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116)
    x, y, z = f.T
    lab = np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)
    return min(np.linalg.norm(a - b) for i, a in enumerate(lab) for b in lab[:i])


@pytest.mark.parametrize("sight", SIGHT.values(), ids=SIGHT)
def test_colors_differ_for_everybody(sight):
    assert least_distance([*COLORS, OTHERS], sight) > 16


def test_the_palette_of_masks_to_train_on_would_not_do():
    assert least_distance(colors_of_classes(len(COLORS)), SIGHT["protanopia"]) < 4


def test_no_two_classes_look_the_same():
    order = np.random.default_rng(0).permutation(60)
    drawn = [draw_mask(np.full((12, 12), number, np.uint8), order) for number in order]
    assert len({picture.tobytes() for picture in drawn[:LOOKS]}) == LOOKS
    for picture in drawn[LOOKS:]:
        assert (picture == (*OTHERS, 255)).all()
    assert all((picture[..., 3] == 255).all() for picture in drawn)


def decoded(uri):
    with Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))) as image:
        return np.asarray(image)


def segmented(path, seen, sides):
    Image.new("RGB", sides[::-1], (10, 200, 30)).save(path)
    counts = np.bincount(seen.ravel())
    best = np.argsort(-counts, kind="stable")[: min(5, np.count_nonzero(counts))]
    classes = tuple((LABELS[number], counts[number] / seen.size) for number in best)
    return Prediction(str(path), classes, mask=Mask(seen, sides, 0.875, LABELS))


def test_masks_are_beside_their_images(tmp_path):
    left = np.full((28, 28), 7, np.uint8)
    left[:, 20:] = 3
    predictions = [
        segmented(tmp_path / "a.png", left, (320, 640)),
        segmented(tmp_path / "b.png", np.full((28, 28), 3, np.uint8), (32, 32)),
    ]
    page = render_page(predictions)
    legend = re.findall(r'<li><img class="swatch" src="([^"]+)" alt="">([^<]+)</li>', page)
    assert [name for _, name in legend] == ["&lt;3&gt;", "&lt;7&gt;"]  # the most pixels first
    swatches = {name: decoded(uri)[0, 0] for uri, name in legend}
    figures = page.split("<figure")[1:]
    pictures = [re.findall(r'<img(?: class="mask")? src="([^"]+)"', each) for each in figures]
    (image, mask), (small, other) = ([decoded(uri) for uri in each] for each in pictures)
    assert image.shape[:2] == mask.shape[:2] == (80, 160)
    assert small.shape[:2] == other.shape[:2] == (32, 32)
    expected = predictions[1].mask.classes
    np.testing.assert_array_equal(other[..., 3] == 0, expected == IGNORED)
    assert (other[expected == 3] == swatches["&lt;3&gt;"]).all()
    # The central square of 7/8 is seen; 20 of its 28 columns are of class 7.
    assert (mask[40, 46:94] == swatches["&lt;7&gt;"]).all()
    assert (mask[40, 97:113] == swatches["&lt;3&gt;"]).all()
    assert not mask[:, :44, 3].any()
    assert not mask[:, 116:, 3].any()
    rows = re.findall(r'<td><img class="swatch" src="([^"]+)" alt="">([^<]+)</td>', figures[0])
    assert [(name, tuple(decoded(uri)[0, 0])) for uri, name in rows] == [
        ("&lt;7&gt;", tuple(swatches["&lt;7&gt;"])),
        ("&lt;3&gt;", tuple(swatches["&lt;3&gt;"])),
    ]


def test_more_classes_than_there_are_looks(tmp_path):
    seen = np.arange(60, dtype=np.uint8).repeat(60).reshape(60, 60)
    page = render_page([segmented(tmp_path / "a.png", seen, (60, 60))])
    assert page.count("<li>") == LOOKS + 1
    assert f"{60 - LOOKS} more classes" in page


def test_pages_of_whole_images_have_no_legend(tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    page = render_page([Prediction(str(tmp_path / "a.png"), (("ant", 0.9),))])
    assert "<li>" not in page
    assert 'class="mask"' not in page
    assert page.count("<img") == 1
