"""The folder of a run: all files that training leaves there."""

import contextlib
import csv
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import time
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_ghostnet import environment, files, preprocessing
from keras_ghostnet.console import draw_picture
from keras_ghostnet.model_reference import BEST, CONFIG
from keras_ghostnet.training import map_pictures, pictures
from keras_ghostnet.training.checkpoints import Checkpoints, History, State, best_epoch
from keras_ghostnet.training.data import Pipeline
from keras_ghostnet.training.loop import Loop

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

LAST = "last.keras"
CHECKPOINTS, LOGS = "checkpoints", "tensorboard"
METRICS, HISTORY = "metrics.json", "metrics.csv"
CURVE, BATCH = "learning_curve.png", "training_batch.png"
PREDICTIONS = "predictions.png"  # of a classifier of pixels
BAD, NOT_FINITE = "bad_examples.csv", "not_finite.csv"
LOCK = ".lock"
RESULTS = (BEST, LAST, HISTORY, METRICS)
CONTENTS = (
    *(BEST, LAST, CHECKPOINTS, LOGS, CONFIG, METRICS, HISTORY, CURVE, BATCH, PREDICTIONS, BAD),
    NOT_FINITE,
)

TAGS = {  # columns of the history, and what they are called in the TensorBoard logs
    "loss": "training/loss",
    "accuracy": "training/accuracy",
    "val_loss": "held_out/loss",
    "val_accuracy": "held_out/accuracy",
    "val_top5": "held_out/top5",
    "val_mean_iou": "held_out/mean_iou",
    "learning_rate": "learning_rate",
    "images_per_second": "images_per_second",
}
SEVERAL = "root error(s) found."  # how TensorFlow begins a list of errors
PICTURED = 32  # images of the first batch
CURVE_SECONDS = 60.0  # between pictures of the learning curve


class RunFolder:
    """Writes the files of a run; every one appears whole.

    Args:
        path: The folder; it is made when the first file is written.
        enabled: False for workers other than the chief: then nothing is written.
        log: Function of a line of text, for what the user should know.

    Attributes:
        path: The folder.
        name: What the user calls it.
    """

    def __init__(
        self, path: str | os.PathLike[str], enabled: bool = True, log: Callable[[str], None] = print
    ):
        self.path, self.enabled, self.log = pathlib.Path(path), enabled, log
        self.name = str(path)
        self.drawn = float("-inf")
        self.described: dict[str, Any] | None = None
        self.writer = None

    @property
    def bad_examples(self) -> pathlib.Path | None:
        """Where the pipelines name what they cannot use; None for nowhere."""
        return self.path / BAD if self.enabled else None

    def publish(self) -> None:
        """Is called when a checkpoint is there: for folders that are to be seen elsewhere."""

    def explain(self, error: Exception) -> None:
        """Is called with errors of the run: for folders of which users know another name."""

    def require_no_results(self) -> None:
        """Refuses results whose checkpoints are gone: a run from the start would replace them.

        Raises:
            FileExistsError: If there are any; names them.
        """
        found = [name for name in RESULTS if (self.path / name).exists()]
        if found:
            raise FileExistsError(
                f"{self.path} holds results of a run ({', '.join(found)}), but no checkpoints to "
                "continue it from. Move it away, or choose another folder (--run-dir)."
            )

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keeps other processes from training in the folder; the system frees it when one dies.

        Raises:
            FileExistsError: If another process trains there.
            OSError: If the folder cannot be written to.
        """
        if not self.enabled or fcntl is None:
            yield
            return
        self.path.mkdir(parents=True, exist_ok=True)
        with self._lock_file() as file:
            file.truncate(0)
            file.write(f"process {os.getpid()} on {socket.gethostname()}")
            file.flush()
            try:
                yield
            finally:
                files.remove(self.path / LOCK)

    def _lock_file(self):
        while True:
            file = (self.path / LOCK).open("a+")
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                with file:
                    file.seek(0)
                    raise FileExistsError(
                        f"{self.path} is being trained by {file.read(200) or 'another process'}. "
                        "Wait for it or stop it, or choose another folder (--run-dir)."
                    ) from None
            except OSError as error:
                self.log(f"{self.path} is on a file system without locks: {error.strerror}")
                return file
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(file.fileno()), os.stat(self.path / LOCK)):
                    return file
            file.close()  # the one who held it has just removed it

    def damaged(self, history: History) -> list[tuple[str, dict[str, Any]]]:
        """The models that a run of this history should have left, and that are not whole.

        Args:
            history: One dictionary an epoch.

        Returns:
            Pairs of a file's name and the row of its epoch.
        """
        expected = ((BEST, best_epoch(history)), (LAST, history[-1])) if history else ()
        return [pair for pair in expected if not _is_whole(self.path / pair[0])]

    def restore_results(
        self,
        damaged: list[tuple[str, dict[str, Any]]],
        state: State,
        checkpoints: Checkpoints,
        loop: Loop,
    ) -> None:
        """Writes again what is missing or damaged, from the checkpoints; all workers together.

        Args:
            damaged: As the method of that name returns it.
            state: The `State` that the run goes on from, which `loop` has at the end.
            checkpoints: The `Checkpoints`.
            loop: The `Loop`.

        Raises:
            ValueError: If the best model cannot be written again.
        """
        if state.history:
            self.history(state.history)
        for name, row in damaged:
            saved = state if row["step"] == state.step else checkpoints.at(row["step"])
            if saved is None:
                if name == LAST:
                    continue  # the next epoch writes it
                raise ValueError(
                    f"{self.path / name}, the model of epoch {row['epoch']}, the best, is missing "
                    f"or damaged, and so is the checkpoint of step {row['step']}. Move the folder "
                    "away, or choose another one."
                )
            loop.restore(saved.variables)
            with loop.evaluated_weights() as model:
                self.model(name, model)
            self.log(
                f"{name} was missing or damaged: written again from the checkpoint of step "
                f"{row['step']}"
            )
        if damaged:
            loop.restore(state.variables)

    def config(self, content: dict[str, Any]) -> None:
        """Writes `config.json`: what the run is, and the versions it runs on.

        Args:
            content: A dictionary of what JSON can hold.
        """
        self.described = {**content, "versions": _versions(), "command": sys.argv}
        self._json(CONFIG, self.described)

    def training_batch(self, batch: dict[str, Any], class_names: Sequence[str]) -> None:
        """Draws the first batch as the network sees it, into `training_batch.png`.

        Args:
            batch: A dictionary of `image` `(n, height, width, 3)`, normalized, and `label`.
            class_names: The classes in the order of the labels.
        """
        if not self.enabled or (self.path / BATCH).exists():
            return
        images, labels = (np.asarray(batch[key])[:PICTURED] for key in ("image", "label"))
        if labels.ndim == 3:
            rows = {"classes": labels}
            self._picture(BATCH, map_pictures.draw_maps, images, rows, class_names)
        else:
            labels = labels.argmax(axis=-1) if labels.ndim == 2 else labels
            names = [class_names[label] for label in labels]
            self._picture(BATCH, pictures.draw_batch, images, names)
        with self._events():
            image = preprocessing.to_pixels(images)
            tf.summary.image("training batch", image, step=0, max_outputs=PICTURED)

    def predictions(self, model: keras.Model, pipeline: Pipeline) -> None:
        """Draws some images, their classes and what a model predicts, into `predictions.png`.

        Args:
            model: A Keras classifier of pixels.
            pipeline: A `Pipeline` of images with maps, of which the first are drawn.
        """
        if self.enabled:
            rows = map_pictures.first_predictions(model, pipeline)
            self._picture(PREDICTIONS, map_pictures.draw_maps, *rows, pipeline.class_names)

    def scalars(self, step: int, values: dict[str, float]) -> None:
        """Adds to the TensorBoard logs.

        Args:
            step: Steps that were taken.
            values: Numbers by name.
        """
        if self.enabled:
            with self._events():
                for name, value in values.items():
                    tf.summary.scalar(name, value, step=step)

    def epoch(self, history: History, model: keras.Model) -> None:
        """Writes what an epoch changes.

        Args:
            history: One dictionary an epoch, the last one's at the end.
            model: The Keras model as it is to be saved.
        """
        if not self.enabled:
            return
        row = history[-1]
        if self.described and not (self.path / CONFIG).exists():  # the folder was removed
            self._json(CONFIG, self.described)
        self.model(LAST, model)
        if best_epoch(history) is row:
            with files.replacing(self.path / BEST) as partial:
                shutil.copyfile(self.path / LAST, partial)
        self.history(history)
        self.scalars(row["step"], {tag: row[name] for name, tag in TAGS.items() if name in row})
        if time.monotonic() - self.drawn > CURVE_SECONDS:
            self.curve(history)

    def model(self, name: str, model: keras.Model) -> None:
        """Saves a model.

        Args:
            name: `BEST` or `LAST`.
            model: The Keras model.
        """
        if self.enabled:
            with files.replacing(self.path / name) as partial:
                model.save(partial)

    def history(self, history: History) -> None:
        """Writes `metrics.csv`."""
        if self.enabled:
            self._csv(HISTORY, history)

    def curve(self, history: History) -> None:
        """Draws `learning_curve.png`."""
        if self.enabled and history:
            self._picture(CURVE, pictures.draw_learning_curve, history, best_epoch(history))
            self.drawn = time.monotonic()

    def extend(self) -> None:
        """Removes the sign that the run has ended, as it goes on."""
        if self.enabled:
            files.remove(self.path / METRICS)

    def metrics(self, content: dict[str, Any]) -> None:
        """Writes `metrics.json`, the sign that a run has ended."""
        self._json(METRICS, content)

    def not_finite(self, keys: Iterable[str], step: int, loss: float) -> None:
        """Names the examples of the step whose loss is not finite, in `not_finite.csv`.

        Args:
            keys: What the source calls them.
            step: The step.
            loss: Its loss.
        """
        if not self.enabled:
            return
        self._csv(NOT_FINITE, [{"step": step, "loss": loss, "example": key} for key in keys])

    def close(self) -> None:
        """Ends the TensorBoard logs."""
        if self.writer:
            with self._events():
                self.writer.close()

    def _picture(self, name, draw, *arguments):
        draw_picture(self.path / name, self.log, draw, *arguments)

    @contextlib.contextmanager
    def _events(self):
        try:
            self.writer = self.writer or tf.summary.create_file_writer(str(self.path / LOGS))
            with self.writer.as_default():
                yield
        except tf.errors.OpError as error:
            raise OSError(f"{self.path / LOGS} cannot be written: {error_text(error)}") from error

    def _csv(self, name, rows):
        with files.replacing(self.path / name) as partial, partial.open("w", newline="") as file:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(rows)

    def _json(self, name, content):
        if self.enabled:
            with files.replacing(self.path / name) as partial:
                partial.write_text(json.dumps(content, indent=2) + "\n")


def _is_whole(path):
    """Whether a `.keras` file is there and holds what was written, by its checksums."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.testzip() is None
    except (OSError, zipfile.BadZipFile, zlib.error, EOFError, ValueError, NotImplementedError):
        return False


def error_text(error: tf.errors.OpError) -> str:
    """The message of a TensorFlow error, without the names of nodes and where they come from."""
    *_, said = error.message.strip().split("\n\n")
    lines = [line.strip() for line in said.splitlines()]
    line = next((line for line in lines if not line.endswith(SEVERAL)), SEVERAL)
    return re.sub(r" \[Op:\w+\]$", "", line.rpartition("}} ")[-1]).removesuffix(".") + "."


def _versions():
    """Versions that a run's results depend on, and the commit of a checkout."""
    found = environment.versions("keras_ghostnet", "keras", "tensorflow", "numpy", "python")
    commit = _commit()
    return {**found, "commit": commit} if commit else found


def _commit():
    """The commit of the checkout that the package runs from, marked if files were changed."""
    checkout = pathlib.Path(__file__).resolve().parents[1]
    if not (checkout / ".git").exists():
        return None
    command = ["git", "-C", str(checkout), "describe", "--always", "--dirty", "--abbrev=40"]
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return result.stdout.strip()
