"""`ghostnet predict`, and what it writes."""

import base64
import csv
import io
import re

import pytest
from PIL import Image

from keras_ghostnet.export import prediction_report
from keras_ghostnet.export.prediction import Prediction, predict
from tests.export.command import FP32, ghostnet


def test_the_command_prints_and_writes_what_predict_returns(run_dir, exported, tmp_path, capsys):
    folder, out = run_dir / "photos" / "val", tmp_path / "out.csv"
    assert ghostnet("predict", exported / FP32, folder, "--top", 1, "--out", out) == 0
    printed = capsys.readouterr().out
    expected = predict(exported / FP32, folder, top=1)
    assert f"{expected[0].classes[0][1]:.1%}" in printed
    assert f"{len(expected)} of {len(expected)} are of the class that their folder names" in printed
    with out.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for row, prediction in zip(rows, expected, strict=True):
        ((label, probability),) = prediction.classes
        assert (row["image"], row["class 1"]) == (prediction.image, label)
        assert row["folder's class"] == prediction.label
        assert float(row["probability 1"]) == pytest.approx(probability, abs=1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.png"], "no image and no folder nowhere.png"),
        (["{}", "--top", "0"], "top=0"),
        (["{}", "--out", "report.pdf"], "A report ends in .csv or .html. Received: report.pdf"),
    ],
)
def test_what_the_command_refuses(arguments, message, run_dir, capsys):
    arguments = [argument.format(run_dir / "photos") for argument in arguments]
    assert ghostnet("predict", run_dir, *arguments) == 1
    assert message in capsys.readouterr().err


@pytest.fixture
def page(tmp_path):
    """The page of four images, two of them in other folders than their most probable class's."""
    predictions = []
    for folder, best, probability in (
        ("ant", "ant", 0.9), ("ant", "<bee>", 0.6), ("<bee>", "ant", 0.8), ("desk", "ant", 0.7),
    ):  # fmt: skip
        path = tmp_path / folder / f"{probability}.png"
        path.parent.mkdir(exist_ok=True)
        Image.new("RGB", (640, 320), (10, 200, 30)).save(path)
        label = folder if folder != "desk" else None
        predictions.append(Prediction(str(path), ((best, probability),), label))
    path = tmp_path / "page.html"
    prediction_report.write_report(path, predictions)
    return path.read_text("utf-8")


def test_wrong_predictions_come_first_the_surest_on_top(page):
    shown = re.findall(r"(0\.\d)\.png", page)
    assert shown == ["0.8", "0.6", "0.9", "0.7"]
    assert page.count('class="wrong"') == 2
    assert "2 predictions differ" in page


def test_a_page_escapes_names_and_holds_its_thumbnails(page):
    assert "<bee>" not in page
    assert "&lt;bee&gt;" in page
    thumbnails = re.findall(r'src="data:image/jpeg;base64,([^"]+)"', page)
    assert len(thumbnails) == page.count("src=") == 4
    with Image.open(io.BytesIO(base64.b64decode(thumbnails[0]))) as image:
        assert image.size == (160, 80)
        assert image.getpixel((80, 40)) == pytest.approx((10, 200, 30), abs=6)
