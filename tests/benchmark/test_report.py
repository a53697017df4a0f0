"""The report from plain data."""

import base64
import html.parser
import io
import re

import numpy as np
import PIL.Image
import pytest
import rich.console

from keras_ghostnet.benchmark.latency import Latency
from keras_ghostnet.benchmark.report import Artifact, Report, Sample, figures, render, table

SIGMA = "\N{GREEK SMALL LETTER SIGMA}"
HISTORY = [
    dict(epoch=epoch, loss=2 / epoch, accuracy=1 - 1 / epoch, val_loss=1.0, val_accuracy=0.5)
    for epoch in (1, 2, 3)
]
ARTIFACT = Artifact(
    name="tflite_int8",
    file="exports/net_int8.tflite",
    runtime="LiteRT, 1 thread",
    bytes=1_234_567,
    accuracy=0.9876,
    agreement=0.9944,
    max_error=0.234,
    latency=Latency(0.345, 0.3, 0.4, 100),
)


def report(**changes):
    return Report(
        **dict(
            title="Cats & <dogs>",
            summary="One sentence.",
            facts={"Seed": 0},
            history=HISTORY,
            training_note="A note.",
            confusion=np.array([[3, 1], [0, 4]]),
            class_names=("cat", "<dog>"),
            samples=[
                Sample(np.zeros((8, 8), "uint8"), "cat", "<dog>", 0.51),
                Sample(np.zeros((8, 8, 3), "uint8"), "cat", "cat", 0.99),
            ],
            artifacts=[ARTIFACT],
            machine={"cpu": "A <CPU>"},
        )
        | changes
    )


class Checker(html.parser.HTMLParser):
    """Collects the tags and addresses, and checks that what opens closes."""

    VOID = ("meta", "img", "br")

    def __init__(self, page):
        super().__init__()
        self.open, self.tags, self.addresses = [], [], []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.addresses += [
            value for name, value in attributes if name in ("src", "href", "xlink:href")
        ]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def page():
    return render(report())


def test_well_formed_and_self_contained(page):
    checker = Checker(page)
    assert not checker.open
    assert checker.tags.count("svg") == 3
    assert checker.tags.count("img") == 2
    assert not {"script", "link", "iframe"} & set(checker.tags)
    assert all(address.startswith(("data:", "#")) for address in checker.addresses)
    assert not re.search(r"url\((?!#)|@import", page)


def test_everything_is_escaped(page):
    assert "<dog" not in page
    assert "&lt;dog&gt;" in page
    assert "Cats &amp; &lt;dogs&gt;" in page
    assert "A &lt;CPU&gt;" in page


def test_figures_of_the_artifacts(page):
    for text in ("1.23 MB", "98.76%", "99.44%", f"0.23 {SIGMA}", "0.34 ms", "0.30 to 0.40"):
        assert text in page


def test_mistakes_are_marked(page):
    assert page.count('class="wrong"') == 1
    assert "&lt;dog&gt;, is cat" in page


def test_the_same_data_gives_the_same_page(page):
    assert render(report()) == page


def test_one_epoch_and_no_mistakes():
    Checker(render(report(history=HISTORY[:1], confusion=np.eye(2, dtype=int), samples=[])))


@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 3)])
def test_images_survive_as_png(shape):
    image = np.random.default_rng(0).integers(0, 256, shape, "uint8")
    content = base64.b64decode(figures.image_uri(image).removeprefix("data:image/png;base64,"))
    np.testing.assert_array_equal(PIL.Image.open(io.BytesIO(content)), image)


def test_terminal_table_fits_80_columns():
    console = rich.console.Console(file=io.StringIO(), width=80)
    console.print(table([ARTIFACT, ARTIFACT]))
    text = console.file.getvalue()
    for part in ("tflite_int8", "1.23 MB", "98.76%", f"0.23 {SIGMA}", "0.34 ms"):
        assert text.count(part) == 2
    assert "…" not in text
