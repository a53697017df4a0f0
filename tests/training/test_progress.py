"""What a user sees of a run: lines or a bar, pictures, TensorBoard's logs."""

import csv
import io
import json
import pathlib
import types

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from rich.console import Console
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from keras_ghostnet import preprocess_input
from keras_ghostnet.console import duration
from keras_ghostnet.training import progress, run_folder
from keras_ghostnet.training.progress import TrainingProgress
from keras_ghostnet.training.run_folder import RunFolder


def row(epoch, accuracy=0.5, **changes):
    return {
        "epoch": epoch, "step": 4 * epoch, "learning_rate": 0.1, "loss": 1 / epoch,
        "accuracy": 0.6, "val_loss": 1.5, "val_accuracy": accuracy, "val_top5": 0.9,
        "images_per_second": 80.0, **changes,
    }  # fmt: skip


@pytest.fixture
def clock(monkeypatch):
    """A clock that a test turns."""
    now = [100.0]
    monkeypatch.setattr(progress, "time", types.SimpleNamespace(monotonic=lambda: now[0]))
    return now


def shown(clock, terminal, seconds_a_step):
    file = io.StringIO()
    console = Console(file=file, force_terminal=terminal, width=200, highlight=False)
    with TrainingProgress(console, batch_size=8, steps_per_epoch=4, epochs=3) as bar:
        for epoch in (1, 2):
            for step in range(1, 5):
                clock[0] += seconds_a_step
                bar.step(4 * (epoch - 1) + step, loss=2.0, accuracy=0.25)
                if terminal:
                    bar.bar.refresh()
            bar.evaluating()
            bar.epoch(row(epoch))
    return file.getvalue()


def test_a_line_for_every_epoch(clock):
    first, second = shown(clock, False, seconds_a_step=2).splitlines()
    assert first == ("epoch 1/3  loss 1.000 60.00%  held out 1.500 50.00%  80 images/s  16 s left")
    assert second == ("epoch 2/3  loss 0.500 60.00%  held out 1.500 50.00%  80 images/s  8 s left")


def test_the_time_left_takes_what_is_done_for_the_first_time_for_no_rule(clock):
    """Building the graph of the evaluation took 60 s of the first pause, and is done once."""
    file = io.StringIO()
    console = Console(file=file, width=200, highlight=False)
    with TrainingProgress(console, batch_size=8, steps_per_epoch=4, epochs=10) as bar:
        for epoch in (1, 2, 3):
            for step in range(1, 5):
                clock[0] += 2 + 30 * (epoch == step == 1)
                bar.step(4 * (epoch - 1) + step, loss=2.0, accuracy=0.25)
            bar.evaluating()
            clock[0] += 5 + 60 * (epoch == 1)
            bar.epoch(row(epoch))
            clock[0] += 1  # the checkpoint
    lines = [line for line in file.getvalue().splitlines() if "held out" in line]
    assert [line.rpartition("images/s  ")[2] for line in lines] == [
        f"{duration(steps * 2 + epochs * pause)} left"
        for steps, epochs, pause in ((36, 9, 65), (32, 8, 5), (28, 7, 5))
    ]


def test_lines_within_long_epochs(clock):
    lines = shown(clock, False, seconds_a_step=40).splitlines()
    assert lines[0] == "epoch 1/3 step 2/4  loss 2.000  accuracy 25.0%  0 images/s  6 min 40 s left"
    assert len(lines) > 4


def test_bar_on_a_terminal(clock):
    text = shown(clock, True, seconds_a_step=2)
    assert "epoch 2/3 step 4/4  loss 2.000  accuracy 25.0%  4 images/s  8 s left" in text
    assert "67%" in text


def colors(path):
    """The picture's colors that are not shades of gray."""
    pixels = np.asarray(Image.open(path).convert("RGB")).reshape(-1, 3)
    return {tuple(pixel) for pixel in pixels if np.ptp(pixel.astype(int)) > 60}


@pytest.mark.parametrize("mixed", [False, True])
def test_training_batch(tmp_path, mixed):
    red = np.zeros((3, 8, 8, 3), "float32")
    red[..., 0] = 255
    labels = np.array([0, 1, 1])
    if mixed:
        labels = np.array([[0.9, 0.1], [0.3, 0.7], [0.2, 0.8]], "float32")
    folder = RunFolder(tmp_path)
    folder.training_batch({"image": preprocess_input(red.copy()), "label": labels}, ["ant", "bee"])
    folder.close()
    assert (255, 0, 0) in colors(tmp_path / run_folder.BATCH)
    events = EventAccumulator(str(tmp_path / run_folder.LOGS)).Reload()
    images = events.Tensors("training batch")[0].tensor_proto.string_val[2:]
    assert len(images) == 3
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(images[0]))), red[0])


def test_files_of_an_epoch(tmp_path):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    folder, history = RunFolder(tmp_path), []
    kept = {}
    for epoch, accuracy in enumerate((0.5, 0.7, 0.7, 0.6), start=1):
        model.layers[0].bias.assign([epoch])
        history.append(row(epoch, accuracy))
        folder.epoch(history, model)
        for name in (run_folder.BEST, run_folder.LAST):
            saved = keras.models.load_model(tmp_path / name, compile=False)
            kept[name] = float(saved.layers[0].bias[0])
    folder.curve(history)
    folder.close()
    assert kept == {run_folder.BEST: 2.0, run_folder.LAST: 4.0}
    rows = list(csv.DictReader((tmp_path / run_folder.HISTORY).open()))
    assert [float(each["val_accuracy"]) for each in rows] == [0.5, 0.7, 0.7, 0.6]
    events = EventAccumulator(str(tmp_path / run_folder.LOGS)).Reload()
    expected = {tag for name, tag in run_folder.TAGS.items() if name in history[0]}
    assert set(events.Tags()["tensors"]) == expected
    points = events.Tensors("held_out/accuracy")
    assert [point.step for point in points] == [4, 8, 12, 16]
    values = [float(tf.make_ndarray(point.tensor_proto)) for point in points]
    assert values == pytest.approx([0.5, 0.7, 0.7, 0.6])
    assert {(0x1F, 0x77, 0xB4), (0xD9, 0x5F, 0x02)} <= colors(tmp_path / run_folder.CURVE)


def test_a_picture_never_stops_a_run(tmp_path, monkeypatch):
    said = []
    folder = RunFolder(tmp_path, log=said.append)
    monkeypatch.setattr("keras_ghostnet.training.pictures.to_pixels", None)
    batch = {"image": np.zeros((1, 8, 8, 3), "float32"), "label": np.array([0])}
    folder.training_batch(batch, ["$5_$10"])
    folder.close()
    assert "training_batch.png could not be drawn" in said[0]


def test_workers_other_than_the_chief_write_nothing(tmp_path):
    folder = RunFolder(tmp_path / "run", enabled=False)
    folder.config({})
    folder.scalars(1, {"a": 1.0})
    folder.epoch([row(1)], None)
    folder.curve([row(1)])
    folder.metrics({})
    folder.not_finite(["a"], 1, float("nan"))
    folder.close()
    assert not list(tmp_path.iterdir())


def test_config_says_what_ran(tmp_path):
    RunFolder(tmp_path).config({"run": {"seed": 3}})
    config = json.loads((tmp_path / run_folder.CONFIG).read_text())
    assert config["run"] == {"seed": 3}
    assert config["versions"]["keras"] == keras.__version__
    assert config["command"]
    checkout = pathlib.Path(run_folder.__file__).resolve().parents[1]
    assert ("commit" in config["versions"]) == (checkout / ".git").exists()
