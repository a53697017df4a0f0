"""The quickstart: a short one on a part of the digits, and the whole one."""

import json
import re
import subprocess
import sys
import time

import keras
import pytest

from keras_ghostnet.benchmark.digits_quickstart import FORMATS, quickstart
from keras_ghostnet.export import formats
from keras_ghostnet.export.artifacts import ArtifactError, ArtifactResult
from keras_ghostnet.export.verification import VerificationError, verify
from keras_ghostnet.training import data, predictions

FILES = [
    "checkpoints", "config.json", "exports", "last.keras", "learning_curve.png", "metrics.csv",
    "metrics.json", "model.keras", "report.html", "report.json", "tensorboard",
    "training_batch.png",
]  # fmt: skip
# TensorFlow greets at its import; what comes after that has to be quiet. A small network stands
# in for GhostNet, whose graphs alone take half a minute to build.
SCRIPT = """
import sys
import keras
import rich.console
from keras_ghostnet import layers
from keras_ghostnet.benchmark import quickstart
from keras_ghostnet.export import verify
from keras_ghostnet.training import classifiers, recipes
from keras_ghostnet.training.data import digits

def small(recipe, classes):
    inputs = keras.Input((recipe.image_size, recipe.image_size, 3))
    x = layers.GhostModule(16, kernel_size=3, strides=2, name="ghost1")(inputs)
    x = layers.GhostBottleneck(32, 24, strides=2, se_ratio=0.25, name="ghost2")(x)
    x = layers.GhostModule(64, name="ghost3")(x)
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    return keras.Model(inputs, keras.layers.Dense(classes, name="predictions")(x), name="small")

classifiers.build_classifier = small
data = digits.write_digits("digits", images_per_class=60)
settings = ["image_size=32", "epochs=4", "batch_size=16"]
recipe = recipes.override(recipes.get_recipe("digits"), settings)
print("imported", file=sys.stderr)
console = rich.console.Console(file=sys.stdout, width=80, highlight=False)
quickstart("run", recipe, data, console=console)
for result in verify("run/exports"):
    print("verified again", result.format)
"""


def test_a_short_run_in_a_process_of_its_own(tmp_path):
    """What it leaves and what it says, not how well it does."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.endswith("imported\n")
    lines = done.stdout.splitlines()
    assert len(lines) < 45
    assert max(map(len, lines)) <= 80
    assert sum(line.startswith("epoch") and "images/s" in line for line in lines) == 4
    *_, report, following = lines[: -len(FORMATS)]
    assert report.startswith("Report: run/report.html")
    assert following == "Next: ghostnet predict run IMAGE"
    assert lines[-len(FORMATS) :] == [f"verified again {name}" for name in sorted(FORMATS)]
    for name in FORMATS:
        assert sum(line.strip().startswith(name) for line in lines) == 1  # the table

    assert {path.name for path in tmp_path.iterdir()} == {"digits", "run"}
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == FILES
    exports = {path.name for path in (tmp_path / "run" / "exports").iterdir()}
    assert exports == {
        *("small.keras", "small", "models.config", "batching.config"),
        *(f"small_{kind}.tflite{end}" for kind in ("fp32", "int8") for end in ("", ".json")),
    }
    sidecar = json.loads((tmp_path / "run" / "exports" / "small_fp32.tflite.json").read_text())
    assert sidecar["source"]["origin"] == str(tmp_path / "run" / "last.keras")
    page = (tmp_path / "run" / "report.html").read_text()
    assert str(tmp_path) not in page
    lead, table = (page.partition(tag)[2] for tag in ('<p class="lead">', "<table>"))
    accuracies = re.findall(r"[\d.]+%", lead.partition("</p>")[0])
    assert len(accuracies) == 2
    assert set(accuracies) <= set(re.findall(r"[\d.]+%", table.partition("</table>")[0]))


@pytest.fixture
def pretend(monkeypatch):
    """Stands in for all of the work: writes a report that says what it is told to."""

    def set_text(text, error=None):
        def run(work, run_dir, recipe, data, console):
            work.mkdir()
            (work / "report.json").write_text("{}")
            (work / "report.html").write_text(text)
            if error:
                raise error
            return []

        monkeypatch.setattr("keras_ghostnet.benchmark.digits_quickstart._run", run)

    return set_text


def test_a_second_run_replaces_the_first(tmp_path, pretend):
    pretend("first")
    assert quickstart(tmp_path / "run").read_text() == "first"
    (tmp_path / "run" / "metrics.csv").write_text("from the first run")
    pretend("second")
    assert quickstart(tmp_path / "run").read_text() == "second"
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    assert not (tmp_path / "run" / "metrics.csv").exists()


@pytest.mark.parametrize("error", [KeyboardInterrupt, FloatingPointError])
def test_an_interrupted_run_leaves_the_previous_report(tmp_path, pretend, error):
    pretend("first")
    path = quickstart(tmp_path / "run")
    pretend("second", error)
    with pytest.raises(error):
        quickstart(tmp_path / "run")
    assert path.read_text() == "first"
    assert [entry.name for entry in tmp_path.iterdir()] == ["run"]


def test_foreign_folder_is_not_replaced(tmp_path):
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(FileExistsError, match="not of an earlier quickstart"):
        quickstart(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_foreign_file_in_a_run_is_not_removed(tmp_path, pretend):
    pretend("first")
    path = quickstart(tmp_path / "run")
    (tmp_path / "run" / "thesis.tex").write_text("precious")
    with pytest.raises(FileExistsError, match=r"run holds .* such as thesis\.tex"):
        quickstart(tmp_path / "run")
    assert path.read_text() == "first"


def test_folder_without_figures_is_not_replaced(tmp_path):
    (tmp_path / "run" / "exports").mkdir(parents=True)
    with pytest.raises(FileExistsError, match=r"there is no report\.json"):
        quickstart(tmp_path / "run")
    assert (tmp_path / "run" / "exports").is_dir()


def test_failed_verification_keeps_what_was_made(tmp_path, pretend):
    pretend("first")
    path = quickstart(tmp_path / "run")
    for text in ("second", "third"):
        failed = ArtifactResult("tflite_int8", None, None, "int8 differs.")
        pretend(text, ArtifactError([failed]))
        with pytest.raises(ArtifactError, match=r"int8 differs\. .* kept in .*run\.failed"):
            quickstart(tmp_path / "run")
        assert (tmp_path / "run.failed" / "report.html").read_text() == text
    assert path.read_text() == "first"
    assert {entry.name for entry in tmp_path.iterdir()} == {"run", "run.failed"}


def test_foreign_folder_in_the_place_of_a_failed_run_is_not_replaced(tmp_path):
    (tmp_path / "run.failed").mkdir()
    (tmp_path / "run.failed" / "thesis.tex").write_text("precious")
    with pytest.raises(FileExistsError, match=r"run\.failed holds .* such as thesis\.tex"):
        quickstart(tmp_path / "run")


@pytest.mark.parametrize("place", [".", "..", "absolute"])
def test_current_folder_is_refused(tmp_path, monkeypatch, place):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OSError, match="is or holds the current folder"):
        quickstart(tmp_path if place == "absolute" else place)


@pytest.mark.parametrize("place", ["file/run", "file/deep/run"])
def test_file_in_the_path_is_named(tmp_path, place):
    (tmp_path / "file").write_text("precious")
    with pytest.raises(NotADirectoryError, match="/file is a file"):
        quickstart(tmp_path / place)


def test_unwritable_parent_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr("os.access", lambda path, mode: False)  # root may write everywhere
    with pytest.raises(PermissionError, match=f"{tmp_path} may not be written to"):
        quickstart(tmp_path / "new" / "run")
    assert not list(tmp_path.iterdir())


def test_missing_packages(tmp_path, monkeypatch):
    monkeypatch.setattr(
        "keras_ghostnet.benchmark.digits_quickstart.PACKAGES", ("json", "no_such_package")
    )
    with pytest.raises(
        ImportError, match=r"no_such_package.*keras_ghostnet\[train,tflite,serving\]"
    ):
        quickstart(tmp_path / "run")
    assert not list(tmp_path.iterdir())


@pytest.mark.quickstart
def test_the_whole_quickstart(tmp_path):
    start = time.perf_counter()
    report = quickstart(tmp_path / "run")
    assert time.perf_counter() - start < 300
    content = json.loads((report.parent / "report.json").read_text())
    artifacts = {artifact["name"]: artifact for artifact in content["artifacts"]}
    assert artifacts["keras"]["accuracy"] >= 0.97
    for name in ("saved_model", "tflite_fp32"):
        assert artifacts[name]["accuracy"] == artifacts["keras"]["accuracy"]
    assert abs(artifacts["tflite_int8"]["accuracy"] - artifacts["keras"]["accuracy"]) <= 0.01

    # The files give the figures again, and a wrong padding is caught even in eight bits.
    model = keras.models.load_model(report.parent / "last.keras")
    source = data.open_source("digits", "val")
    pipeline = data.Pipeline(source, image_size=model.input_shape[1:3], training=False, crop=1.0)
    images, labels, _ = data.to_arrays(pipeline)
    predicted = predictions.predict(model, images, labels)
    assert predicted.accuracy == artifacts["keras"]["accuracy"]
    model.get_layer("stem_pad").padding = ((0, 2), (0, 2))
    for fmt in map(formats.get_format, FORMATS):
        path = formats.export_model(model, fmt, tmp_path / "faulty", calibration=images[::4])
        with pytest.raises(VerificationError):
            verify(path, fmt, images, labels, predicted.outputs)
