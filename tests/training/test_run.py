"""`ghostnet train` as a user runs it: started, stopped, killed, resumed, refused."""

import contextlib
import csv
import fcntl
import io
import json
import re
import shutil
import signal

import keras
import numpy as np
import pytest
import tensorflow as tf
from rich.console import Console

from keras_ghostnet import cli
from keras_ghostnet.model_reference import resolve_model
from keras_ghostnet.training import classifiers, evaluate, run_folder, train
from keras_ghostnet.training.data import Pipeline, open_source
from tests.training import runs
from tests.training.runs import SETTINGS

SHORT = (*SETTINGS, "epochs=2")


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return runs.write_photos(tmp_path_factory.mktemp("photos"))


def kill_after(steps, number, photos, run_dir):
    """Starts a run, and sends it a signal once it has a checkpoint of that step or a later one."""
    with runs.started(runs.command(photos, run_dir)) as (process,):
        runs.wait_for_step(steps, run_dir, process)
        process.send_signal(number)
        output, _ = process.communicate(timeout=100)
        return process.returncode, output


@pytest.fixture(scope="module")
def whole(photos, tmp_path_factory):
    """A run that was never stopped, and what it printed."""
    folder, printed = tmp_path_factory.mktemp("whole") / "run", io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(printed):
        patch.setattr(classifiers, "build_classifier", runs.small_classifier)
        words = runs.command(photos, folder, settings=SHORT)
        words.remove("--deterministic")  # which would hold for the tests after this one too
        assert cli.main(cli.parse(["ghostnet", *words[1:]])) == 0
    return folder, printed.getvalue()


@pytest.fixture(scope="module")
def whole_process(photos, tmp_path_factory):
    """A run of the recipe's own network in a process of its own, never stopped."""
    folder = tmp_path_factory.mktemp("process") / "run"
    done = runs.train(photos, folder)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return folder


def test_what_a_run_leaves(whole):
    folder, output = whole
    assert "epoch 2/2" in output
    assert {path.name for path in folder.iterdir()} == {
        "checkpoints", "config.json", "last.keras", "learning_curve.png", "metrics.csv",
        "metrics.json", "model.keras", "tensorboard", "training_batch.png",
    }  # fmt: skip
    rows = list(csv.DictReader((folder / "metrics.csv").open()))
    assert [row["step"] for row in rows] == ["3", "6"]
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["best"]["val_accuracy"] == max(float(row["val_accuracy"]) for row in rows)
    config = json.loads((folder / "config.json").read_text())
    assert (config["run"]["batch_size"], config["classes"]) == (8, ["class00", "class01"])
    model = keras.models.load_model(folder / "last.keras")
    assert model.output_shape == (None, 2)


def test_stopped_and_killed_runs_end_with_the_very_same_state(whole_process, photos, tmp_path):
    run_dir = tmp_path / "run"
    code, output = kill_after(2, signal.SIGTERM, photos, run_dir)
    assert code == 130
    assert "the same command resumes" in output
    code, _ = kill_after(6, signal.SIGKILL, photos, run_dir)
    assert code == -signal.SIGKILL
    done = runs.train(photos, run_dir)
    assert done.returncode == 0, done.stderr
    assert "Resuming after" in done.stdout
    assert runs.state(run_dir).step == 9
    runs.assert_same_state(run_dir, whole_process)


def command(capsys, photos, run_dir, *more, settings=SHORT):
    """Carries the command out in this process; returns its exit code, output and errors."""
    words = runs.command(photos, run_dir, *more, settings=settings)
    words.remove("--deterministic")  # which would hold for the tests after this one too
    code = cli.main(cli.parse(["ghostnet", *words[1:]]))
    return code, *capsys.readouterr()


def test_a_finished_run_has_nothing_more_to_do(whole, photos, monkeypatch, capsys):
    monkeypatch.setattr(classifiers, "build_classifier", runs.small_classifier)
    folder, _ = whole
    before = runs.state(folder).variables
    code, output, errors = command(capsys, photos, folder)
    assert (code, errors) == (0, "")
    assert f"best: epoch {metrics_of(folder)['best']['epoch']} " in output
    for name, value in runs.state(folder).variables.items():
        np.testing.assert_array_equal(value, before[name])


def metrics_of(run_dir):
    return json.loads((run_dir / "metrics.json").read_text())


def use_small_network(patch):
    """Runs train a network that is compiled at once, and draw nothing, which takes as long."""
    patch.setattr(classifiers, "build_classifier", runs.small_classifier)
    patch.setattr(run_folder, "draw_picture", lambda *_: None)


def test_train_prints_nothing_without_a_console(photos, tmp_path, monkeypatch, capfd):
    use_small_network(monkeypatch)
    run_dir = tmp_path / "run"
    metrics = train("smoke", photos, run_dir, settings=(*SETTINGS, "epochs=1"))
    assert capfd.readouterr().out == ""
    assert metrics == metrics_of(run_dir)
    assert metrics["last"]["step"] == 3
    assert evaluate(run_dir, photos).accuracy == pytest.approx(metrics["last"]["val_accuracy"])
    with pytest.raises(ValueError, match="Did you mean 'smoke'"):
        train("smok", photos, run_dir)


@pytest.fixture(scope="module")
def short(photos, tmp_path_factory):
    """A run of a small network, two epochs."""
    with pytest.MonkeyPatch.context() as patch:
        use_small_network(patch)
        folder = tmp_path_factory.mktemp("short") / "run"
        train("smoke", photos, folder, settings=SHORT)
    return folder


@pytest.fixture
def again(short, photos, tmp_path, monkeypatch):
    """A copy of that run, and a function that trains it to its end again; returns its output."""
    use_small_network(monkeypatch)
    run_dir = shutil.copytree(short, tmp_path / "run")

    def run():
        console = Console(width=200, record=True, file=io.StringIO())
        train("smoke", photos, run_dir, settings=SHORT, console=console)
        return console.export_text()

    return run_dir, run


def cut(path):
    path.write_bytes(path.read_bytes()[:-9])


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_results_that_are_gone_or_damaged_are_written_again(again, short):
    run_dir, run = again
    (run_dir / "model.keras").unlink()
    cut(run_dir / "last.keras")
    (run_dir / "metrics.csv").write_text("")
    (run_dir / "config.json").unlink()
    output = run()
    assert "model.keras was missing or damaged: written again from the checkpoint of" in output
    assert "last.keras was missing or damaged: written again from the checkpoint of" in output
    assert (run_dir / "metrics.csv").read_text() == (short / "metrics.csv").read_text()
    for name in ("model.keras", "last.keras"):
        expected = keras.models.load_model(short / name).get_weights()
        found = keras.models.load_model(run_dir / name).get_weights()
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_array_equal(one, other)
    assert resolve_model(run_dir).labels == ("class00", "class01")
    assert "written again" not in run()
    flip(run_dir / "model.keras")
    assert "model.keras was missing or damaged" in run()


def test_the_best_model_is_not_replaced_by_another_run_s(again):
    run_dir, run = again
    before = (run_dir / "model.keras").read_bytes()
    kept = {step: run_dir / "checkpoints" / f"step-{step:08d}.json" for step in (3, 6)}
    shutil.rmtree(run_dir / "checkpoints")
    with pytest.raises(FileExistsError, match=r"holds results .*model\.keras.* but no checkpoints"):
        run()
    assert (run_dir / "model.keras").read_bytes() == before
    assert not any(path.exists() for path in kept.values())


def test_the_best_model_and_its_checkpoint_are_gone(again):
    run_dir, run = again
    best = json.loads((run_dir / "metrics.json").read_text())["best"]["step"]
    for path in (run_dir / "checkpoints").glob(f"step-{best:08d}.*"):
        path.unlink() if best == 3 else cut(path)
    (run_dir / "model.keras").unlink()
    if best == 3:
        with pytest.raises(ValueError, match=r"model\.keras, the model of epoch 1, the best, is"):
            run()
    else:  # the run goes on from the first epoch, and makes it again
        assert "is broken and is passed over" in run()
        assert (run_dir / "model.keras").exists()


def test_two_processes_do_not_train_in_one_folder(again):
    run_dir, run = again
    with (run_dir / ".lock").open("a+") as file:
        file.write("process 7 on another")
        file.flush()
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(FileExistsError, match=r"trained by process 7 on another\. Wait"):
            run()
    run()  # what a killed process left
    assert not (run_dir / ".lock").exists()


@pytest.mark.parametrize("content", [None, "", "[]", "{", '{"classes": 3, "run": {}}', "\xff"])
def test_without_its_settings_a_run_s_model_is_not_evaluated(again, photos, content):
    run_dir, _ = again
    (run_dir / "config.json").unlink()
    if content is not None:
        (run_dir / "config.json").write_text(content)
    with pytest.raises((ValueError, OSError), match=r"config\.json is (missing|damaged)"):
        evaluate(run_dir, photos)


@pytest.mark.parametrize("checkpoint_steps", [1, 1000])
def test_what_is_not_finite_stops_a_run(photos, tmp_path, monkeypatch, checkpoint_steps):
    # One good epoch: its only step has the warmup's rate of zero. Then numbers overflow soon.
    # With the recipe's own network, in a process: tests/faults.
    use_small_network(monkeypatch)
    run_dir = tmp_path / "run"
    settings = (*SETTINGS, "batch_size=24", "warmup_epochs=2", "learning_rate=1e38", "epochs=4")
    with pytest.raises(FloatingPointError) as caught:
        train("smoke", photos, run_dir, settings=settings, checkpoint_steps=checkpoint_steps)
    told = re.search(r"(?:is not finite after|The loss is \w+ in) step (\d)\.", str(caught.value))
    step = int(told[1])
    assert 2 <= step <= 4
    named = [row["example"] for row in csv.DictReader((run_dir / "not_finite.csv").open())]
    assert f"listed in {run_dir / 'not_finite.csv'}; the first is {named[0]}." in str(caught.value)
    order = Pipeline(open_source(photos, "train"), image_size=32, training=True).order(step - 1)
    assert [open_source(photos, "train").key(index) for index in order] == named
    state = runs.state(run_dir)
    assert state.step == step - 1  # the last of its epoch, whether each step is saved or not
    assert all(np.isfinite(value).all() for value in state.variables.values())
    for name in ("model.keras", "last.keras"):
        weights = keras.models.load_model(run_dir / name).get_weights()
        assert all(np.isfinite(weight).all() for weight in weights)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ((*SHORT, "learning_rate=0.5"), "learning_rate was 0.02, is 0.5"),
        (("learning_rat=1",), "Did you mean 'learning_rate'"),
        (("epochs=many",), "`epochs` takes an integer"),
        (("schedule=linear",), "`schedule` takes one of"),
    ],
)
def test_what_is_refused(whole, photos, capsys, settings, message):
    code, _, errors = command(capsys, photos, whole[0], settings=settings)
    assert code == 1
    assert message in errors
    assert "Traceback" not in errors


def test_ties_of_accuracy_go_to_the_lower_loss_and_runs_are_extended(
    photos, tmp_path, monkeypatch, capfd
):
    use_small_network(monkeypatch)
    run_dir, console = tmp_path / "run", Console(width=200, highlight=False)
    settings = (*SETTINGS, "label_smoothing=0.1")
    train("smoke", photos, run_dir, settings=(*settings, "epochs=2"), console=console)
    output = capfd.readouterr().out
    assert "* training loss with smoothed labels" in output
    assert re.search(r"epoch 1/2  loss \S+\* \S+%  held out \S+ \S+%", output)
    assert "top-5" not in output
    assert re.search(r"best: epoch \d  .* of 10 images ", output)
    assert f"Next: ghostnet export {run_dir} --formats tflite_int8" in output
    rates = [row["learning_rate"] for row in csv.DictReader((run_dir / "metrics.csv").open())]
    assert float(rates[-1]) < 1e-6  # a cosine's end
    moved = tmp_path / "moved"
    shutil.copytree(photos, moved)
    metrics = train("smoke", moved, run_dir, settings=(*settings, "epochs=3"), console=console)
    output = capfd.readouterr().out
    assert "Resuming after 2 epochs and 0 steps" in output
    assert "Extended from 2 to 3 epochs: the learning rate follows the cosine schedule" in output
    assert metrics["last"]["epoch"] == 3
    rows = list(csv.DictReader((run_dir / "metrics.csv").open()))
    best = max(rows, key=lambda row: (float(row["val_accuracy"]), -float(row["val_loss"])))
    assert metrics["best"]["epoch"] == int(best["epoch"])
    with pytest.raises(ValueError, match="epochs was 3, is 2"):
        train("smoke", moved, run_dir, settings=(*settings, "epochs=2"))
    (moved / "train" / "class00" / "more.png").write_bytes(
        (moved / "train" / "class00" / "0.png").read_bytes()
    )
    with pytest.raises(ValueError, match="train had 24 images, has 25"):
        train("smoke", moved, run_dir, settings=(*settings, "epochs=3"))
    for split in ("train", "val"):
        (moved / split / "class00").rename(moved / split / "wasp")
    with pytest.raises(ValueError, match=r"gone: 'class00'; new: 'wasp'"):
        train("smoke", moved, run_dir, settings=(*settings, "epochs=3"))


def test_data_of_less_than_a_batch(photos, tmp_path, capsys):
    code, _, errors = command(capsys, photos, tmp_path / "run", settings=("batch_size=4000",))
    assert code == 1
    assert "less than one batch" in errors
    assert not (tmp_path / "run").exists()


def test_what_tensorflow_says_of_an_error_in_a_step():
    inverse = tf.function(tf.linalg.inv)
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        inverse(tf.zeros((2, 2)))
    assert caught.value.message.startswith("Graph execution error")
    assert run_folder.error_text(caught.value) == "Input is not invertible."
    with pytest.raises(tf.errors.NotFoundError) as caught:
        tf.io.read_file("/nowhere")
    assert run_folder.error_text(caught.value) == "/nowhere; No such file or directory."


@pytest.mark.parametrize("several", ["", "2 root error(s) found.\n  "])
def test_what_tensorflow_says_of_a_lost_worker(several):
    message = (
        "Graph execution error:\n\nDetected at node CollectiveReduceV2 defined at (most recent "
        f"call last):\n<stack traces unavailable>\n\n{several}Collective ops is aborted by: "
        "Connection reset by peer\nThe error could be from a previous operation.\n\t "
        "[[{{node CollectiveReduceV2}}]] [Op:__inference__train_step_1]"
    )
    expected = "Collective ops is aborted by: Connection reset by peer."
    assert run_folder.error_text(tf.errors.AbortedError(None, None, message)) == expected
