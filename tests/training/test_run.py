"""`ghostnet train` as a user runs it: begun, stopped, killed, continued, refused."""

import csv
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import keras
import numpy as np
import pytest
from PIL import Image

from keras_ghostnet.training.checkpoints import Checkpoints

GHOSTNET = pathlib.Path(sys.executable).with_name("ghostnet")
SETTINGS = ("model=ghostnet_050", "epochs=3", "batch_size=8", "image_size=32", "learning_rate=0.02")


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Twelve images to train with and five to be held out for each of two classes."""
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    for split, count in (("train", 12), ("val", 5)):
        for label, name in enumerate(("dark", "light")):
            (folder / split / name).mkdir(parents=True)
            for number in range(count):
                pixels = rng.integers(0, 120, (40, 44, 3)) + 130 * label
                path = folder / split / name / f"{number}.png"
                Image.fromarray(pixels.astype("uint8")).save(path)
    return folder


def command(photos, run_dir, *more, settings=SETTINGS):
    words = [GHOSTNET, "train", "--recipe", "smoke", "--data", photos, "--run_dir", run_dir]
    words += [word for setting in settings for word in ("--set", setting)]
    return [*map(str, words), "--deterministic", "--checkpoint_steps", "2", *more]


def train(*arguments, **options):
    return subprocess.run(command(*arguments, **options), capture_output=True, text=True)


def kill_after(steps, number, photos, run_dir):
    """Starts a run, and sends it a signal once it has a checkpoint of that step or a later one."""
    process = subprocess.Popen(
        command(photos, run_dir), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    checkpoints = Checkpoints(run_dir / "checkpoints")
    deadline = time.monotonic() + 200
    while process.poll() is None and max(checkpoints.steps(), default=0) < steps:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.kill(process.pid, number)
    output, _ = process.communicate(timeout=100)
    return process.returncode, output


def variables(run_dir):
    state = Checkpoints(run_dir / "checkpoints").latest(
        json.loads((run_dir / "config.json").read_text())["run"]
    )
    return state.step, state.variables


@pytest.fixture(scope="module")
def whole(photos, tmp_path_factory):
    """A run that was never stopped."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    done = train(photos, folder)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return folder, done.stdout


def test_what_a_run_leaves(whole):
    folder, output = whole
    assert "epoch 3/3" in output
    assert {path.name for path in folder.iterdir()} == {
        "checkpoints", "config.json", "last.keras", "learning_curve.png", "metrics.csv", "metrics.json",
        "model.keras", "tensorboard", "training_batch.png",
    }  # fmt: skip
    rows = list(csv.DictReader((folder / "metrics.csv").open()))
    assert [row["step"] for row in rows] == ["3", "6", "9"]
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["best"]["val_accuracy"] == max(float(row["val_accuracy"]) for row in rows)
    config = json.loads((folder / "config.json").read_text())
    assert (config["run"]["batch_size"], config["classes"]) == (8, ["dark", "light"])
    model = keras.models.load_model(folder / "last.keras")
    assert model.output_shape == (None, 2)


def test_stopped_and_killed_runs_end_with_the_very_same_state(whole, photos, tmp_path):
    run_dir = tmp_path / "run"
    code, output = kill_after(2, signal.SIGTERM, photos, run_dir)
    assert code == 130
    assert "the same command continues" in output
    code, _ = kill_after(6, signal.SIGKILL, photos, run_dir)
    assert code == -signal.SIGKILL
    done = train(photos, run_dir)
    assert done.returncode == 0, done.stderr
    assert "Continuing after" in done.stdout
    (step, ours), (other, theirs) = variables(run_dir), variables(whole[0])
    assert step == other == 9
    assert ours.keys() == theirs.keys()
    for name in ours:
        np.testing.assert_array_equal(ours[name], theirs[name], err_msg=name)


def test_a_finished_run_has_nothing_more_to_do(whole, photos):
    folder, _ = whole
    before = variables(folder)[1]
    done = train(photos, folder)
    assert done.returncode == 0, done.stderr
    for name, value in variables(folder)[1].items():
        np.testing.assert_array_equal(value, before[name])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ((*SETTINGS, "learning_rate=0.5"), "learning_rate was 0.02, is 0.5"),
        (("learning_rat=1",), "Did you mean 'learning_rate'"),
        (("epochs=many",), "`epochs` takes a whole number"),
        (("schedule=linear",), "`schedule` must be one of"),
    ],
)
def test_what_is_refused(whole, photos, settings, message):
    done = train(photos, whole[0], settings=settings)
    assert done.returncode == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_data_of_less_than_a_batch(photos, tmp_path):
    done = train(photos, tmp_path / "run", settings=("batch_size=4000",))
    assert done.returncode == 1
    assert "less than one batch" in done.stderr
    assert not (tmp_path / "run").exists()
