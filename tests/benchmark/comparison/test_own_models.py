"""Models of the user's own beside the tables' rows: their accuracy, and what is said of them."""

import io
import json
import re

import keras
import numpy as np
import pytest
import rich.console

from keras_ghostnet.benchmark import paper_table
from keras_ghostnet.benchmark.comparison import entries, exports, pictures, report, terminal
from keras_ghostnet.benchmark.comparison.columns import columns
from keras_ghostnet.benchmark.comparison.compared_networks import resolve_networks
from keras_ghostnet.export import tflite
from tests.benchmark.comparison.samples import measurement, measurements

PHOTOS, BIRDS = "20 held-out images of photos", "300 held-out images of birds"


def own(name, top1=None, images="", **changes):
    row = paper_table.get_row("ghostnet_100")
    return measurement(row, model=name, top1=top1, images=images, **changes)


def printed(found):
    console = rich.console.Console(file=io.StringIO(), width=80)
    terminal.show_table(console, found)
    assert console.width == 80
    return console.file.getvalue()


@pytest.fixture
def run(tmp_path):
    """The folder of a run that has ended; the models are never loaded."""
    config = {
        "run": {"data": "photos", "image_size": 64},
        "classes": ["ant", "bee"],
        "examples": {"train": 1_500, "val": 1_200},
    }
    metrics = {"best": {"val_accuracy": 0.95}, "last": {"val_accuracy": 0.9375}}
    for name, content in {"config": config, "metrics": metrics}.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    for name in ("model.keras", "last.keras", "other.keras"):
        (tmp_path / name).touch()
    return tmp_path


def accuracy(path, size=64):
    (network,) = resolve_networks([str(path)], "paper")
    return network.accuracy(size)


def test_accuracy_is_that_of_the_run_s_epoch(run):
    images = "1,200 held-out images of photos"
    assert accuracy(run) == {"top1": 95.0, "images": images}
    assert accuracy(run / "model.keras") == accuracy(run)
    assert accuracy(run / "last.keras") == {"top1": 93.75, "images": images}


def test_accuracy_is_not_known_otherwise(run):
    assert accuracy(run / "other.keras") == {}
    assert accuracy(run, size=96) == {}
    assert accuracy("ghostnet_100") == {}
    (run / "metrics.json").unlink()  # a run that has not ended
    assert accuracy(run) == {}


def test_a_trailing_slash_is_no_other_model(run):
    (network,) = resolve_networks([str(run)], "paper")
    assert resolve_networks([f"{run}/"], "paper") == [network]


def test_own_accuracy_is_never_beside_published_ones():
    found = [
        *measurements(),
        own("runs/a", 75.0, PHOTOS),
        own("runs/b", 85.0, PHOTOS, median=5.0),
        own("runs/c", 90.0, BIRDS),
        own("runs/d"),
    ]
    (comparison,) = entries.comparisons(found)
    drawn = pictures.pictures_of(comparison)
    assert [picture.accuracy for picture in drawn] == [
        *["Top-1 as published (%)"] * 3,
        *[f"Top-1 on {PHOTOS} (%)"] * 2,
    ]
    assert [len(picture.points) for picture in drawn] == [20, 20, 20, 2, 2]
    points = drawn[-1].points
    assert [(point.label, point.cost, point.accuracy) for point in points] == [
        ("runs/a", pytest.approx(3.11), 75.0),
        ("runs/b", 5.0, 85.0),
    ]
    assert f"85 % top-1 on {PHOTOS}" in points[1].details
    shown = {column.key: column for column in columns(comparison)}
    cells = {
        entry.row.name: (shown["top1"].cell(entry).text, shown["run_top1"].cell(entry).text)
        for entry in comparison.entries
    }
    assert cells["ghostnet_100"] == ("73.9", "\N{EN DASH}")
    assert cells["runs/b"] == ("\N{EN DASH}", "85.0")
    assert f"Top-1 of run: runs/a, runs/b on {PHOTOS}; runs/c on {BIRDS}." in " ".join(
        printed(found).split()
    )


def test_labels_are_the_ends_of_paths():
    found = [own(f"/home/someone/runs/{name}", top1, PHOTOS) for name, top1 in (("a", 7), ("b", 8))]
    (picture, _) = pictures.pictures_of(entries.comparisons(found)[0])
    assert [point.label for point in picture.points] == ["\N{HORIZONTAL ELLIPSIS}/runs/a"] + [
        "\N{HORIZONTAL ELLIPSIS}/runs/b"
    ]
    assert "/home/someone/runs/a" in picture.points[0].details


def test_the_legend_explains_what_is_there():
    text = " ".join(printed([own("runs/a", 75.0, PHOTOS), own("runs/b", 85.0, PHOTOS)]).split())
    assert text.endswith(f"Medians. Top-1 of run: on {PHOTOS}.")
    assert "ratio" not in text
    row = paper_table.get_row("ghostnet_100")
    text = " ".join(printed([measurement(row, parameters=5_180_000, macs=141_000_000)]).split())
    assert text.endswith("Medians; ratio: to ghostnet_100.")
    assert "In brackets: published" in printed([measurement(row, macs=150_000_000)])


def test_long_paths_leave_the_figures_whole():
    found = [own(f"/data/{'deep/' * 25}{name}", 85.0, PHOTOS, macs=None) for name in "ab"]
    text = printed(found)
    assert text.count("85.0") == 2
    assert "\N{HORIZONTAL ELLIPSIS}" not in text
    assert max(map(len, text.splitlines())) <= terminal.WIDTH


def test_a_page_of_own_models_alone():
    page = report.render([own("runs/a", 75.0, PHOTOS), own("runs/b", 85.0, PHOTOS, median=5.0)])
    assert page.index("<table") < page.index("<svg")
    assert "<h1>Networks, measured</h1>" in page
    notes = page[page.index("<h2>Notes") :]
    for text in ("random", "published one", "busy", "XNNPACK"):
        assert text not in notes, text
    for text in ("with the weights that they have", "Top-1 of run is", "Pareto front"):
        assert text in notes, text
    assert f"on {PHOTOS}</small>" in page


def test_a_page_without_pictures_says_why():
    page = report.render([own("runs/a"), own("runs/b")])
    assert "<svg" not in page
    assert "There are pictures of accuracy where" in page
    assert "Pareto" not in page
    assert "Top-1" not in page[: page.index("<h2>Notes")]


def test_pages_of_rows_say_that_their_weights_are_random():
    notes = report.render(measurements())
    assert "weights are random" in notes
    assert "of your own" not in notes


def test_what_a_run_resized_stays_together():
    """Rows at 96 pixels, and a model of one's own that has no published size."""
    rows = [
        measurement(paper_table.get_row(name), size=96) for name in ("ghostnet_050", "ghostnet_100")
    ]
    (comparison,) = entries.comparisons([*rows, own("runs/a", size=96)])
    assert comparison.conditions.size == 96
    assert [entry.row.name for entry in comparison.entries][-1] == "runs/a"
    # A row that was published at this size, beside one that was not.
    names = ("ghostnet_100", "mobilenet_v2_075")
    rows = [measurement(paper_table.get_row(name), size=192) for name in names]
    (comparison,) = entries.comparisons(rows)
    assert comparison.conditions.size == 192
    assert len(comparison.entries) == 2
    # Each at its own size is one table.
    (comparison,) = entries.comparisons([*measurements(), own("runs/a", size=64)])
    assert comparison.conditions.size is None
    assert re.search(r"^ runs/a ", printed([*measurements(), own("runs/a", size=64)]), re.MULTILINE)


def test_models_of_16_bits_and_of_pixels(tmp_path):
    """They are measured as what they are exported to: in float32, of pixels as the model takes."""
    inputs = keras.Input((16, 16, 3), dtype="uint8")
    x = keras.layers.Rescaling(1 / 127.5, -1, dtype="mixed_float16")(inputs)
    x = keras.layers.Conv2D(4, 3, activation="relu", dtype="mixed_float16")(x)
    x = keras.layers.GlobalAveragePooling2D(dtype="mixed_float16")(x)
    model = keras.Model(inputs, keras.layers.Dense(2, dtype="float32")(x))
    model.save(tmp_path / "own.keras")
    (subject,) = resolve_networks([str(tmp_path / "own.keras")], "paper")
    exporter = exports.Exporter(subject.build(), random=False)
    pixels = np.random.default_rng(0).integers(0, 256, (4, 16, 16, 3))
    exporter.write(tmp_path / "own_int8.tflite", ("litert", "int8"), "avx2")
    exporter.write(tmp_path / "own.tflite", ("litert", "fp32"), "avx2")
    found = tflite.load(tmp_path / "own.tflite")(pixels.astype("float32"))
    np.testing.assert_allclose(found, model(pixels), atol=5e-3)
