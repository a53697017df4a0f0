"""Shows how far training is: a bar on a terminal, now and then a line elsewhere."""

import collections
import math
import shlex
import time
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from keras_ghostnet.console import duration
from keras_ghostnet.training.recipes import Recipe

TOP = 5  # classes, of which the true one may be any
RECENT = 50  # steps that the rate is taken over
LINE_SECONDS = 60.0  # between lines within an epoch where there is no terminal


class TrainingProgress:
    """One bar over all steps of a run, with loss, accuracy, images per second and the time left.

    Args:
        console: A `rich.console.Console`.
        batch_size: Images in a step.
        steps_per_epoch, epochs: Of the run.
        start: The step from which this process goes on.
        classes: How many there are: top-5 says nothing of up to five.
        held_out: The number of images that every epoch is evaluated on.
        loss_note: How the training loss differs from the held-out images' cross-entropy, e.g.
            `"smoothed labels"`; empty if it does not.
    """

    def __init__(
        self,
        console: Console,
        *,
        batch_size: int,
        steps_per_epoch: int,
        epochs: int,
        start: int = 0,
        classes: int = 1000,
        held_out: int | None = None,
        loss_note: str = "",
    ) -> None:
        self.classes, self.held_out = classes, held_out
        self.loss_note, self.is_noted = loss_note, False
        self.console, self.batch_size = console, batch_size
        self.steps_per_epoch, self.epochs = steps_per_epoch, epochs
        self.recent: collections.deque[float] = collections.deque(maxlen=RECENT)
        # Of steps that followed another one; and the shortest time that an epoch's end takes:
        # whatever is done for the first time builds a graph, and takes longer.
        self.seconds, self.counted = 0.0, 0
        self.pause, self.paused = math.inf, -math.inf  # nothing was paused for yet
        self.bar = None
        if console.is_terminal:
            self.bar = Progress(
                TextColumn("{task.description}", markup=False),
                BarColumn(bar_width=24),
                TaskProgressColumn(),
                console=console,
                transient=True,
                # Output that is held back must not come out through the bar.
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self.task = self.bar.add_task(
                "preparing the first step", total=epochs * steps_per_epoch, completed=start
            )

    def __enter__(self):
        if self.bar:
            self.bar.start()
        self.spoken = time.monotonic()
        return self

    def __exit__(self, *_):
        if self.bar:
            self.bar.stop()

    def step(self, number: int, loss: float, accuracy: float) -> None:
        """After every step.

        Args:
            number: Steps that were taken, over all epochs.
            loss, accuracy: Of the step.
        """
        now = time.monotonic()
        if self.recent:
            self.seconds, self.counted = self.seconds + now - self.recent[-1], self.counted + 1
        else:
            self.pause = min(self.pause, max(0.0, now - self.paused - self._step_seconds()))
        self.recent.append(now)
        if self.bar is None and now - self.spoken < LINE_SECONDS:
            return
        epoch, step = divmod(number - 1, self.steps_per_epoch)
        text = (
            f"epoch {epoch + 1}/{self.epochs} step {step + 1}/{self.steps_per_epoch}  "
            f"loss {loss:.3f}  accuracy {accuracy:.1%}{self._rate(number)}"
        )
        if self.bar:
            self.bar.update(self.task, completed=number, description=text)
        else:
            self.say(text)

    def evaluating(self) -> None:
        """Before the held-out images are gone through."""
        self.recent.clear()  # the rate is of training steps alone
        self.paused = time.monotonic()
        if self.bar:
            self.bar.update(self.task, description="evaluating the held-out images")

    def epoch(self, row: Mapping[str, Any]) -> None:
        """After every epoch: loss and accuracy of the training and of the held-out images.

        Args:
            row: As in `metrics.csv`.
        """
        if self.loss_note and not self.is_noted:
            self.say(f"* training loss with {self.loss_note}: no measure for the held-out one")
            self.is_noted = True
        mark = "*" if self.loss_note else ""
        text = (  # fits 80 columns
            f"epoch {row['epoch']}/{self.epochs}  loss {row['loss']:.3f}{mark} "
            f"{row['accuracy']:.2%}  held out {row['val_loss']:.3f} {row['val_accuracy']:.2%}"
        )
        if "val_mean_iou" in row:
            text += f"  mIoU {row['val_mean_iou']:.2%}"
        if row["images_per_second"]:
            text += f"  {row['images_per_second']:.0f} images/s"
        if row["epoch"] < self.epochs:
            text += self._left(row["step"], time.monotonic() - self.paused)
        self.say(text)

    def results(self, metrics: Mapping[str, Any], folder: str) -> None:
        """After the run: the best and the last epoch, where their models are, and what is next.

        Args:
            metrics: As in `metrics.json`.
            folder: The run's folder, as the user calls it.
        """
        for name, file in (("best", "model.keras"), ("last", "last.keras")):
            row = metrics[name]
            if "val_mean_iou" in row:
                figures = f"mean IoU {row['val_mean_iou']:.2%}  pixels {row['val_accuracy']:.2%}"
            else:
                figures = f"top-1 {row['val_accuracy']:.2%}"
                figures += f"  top-5 {row['val_top5']:.2%}" if self.classes > TOP else ""
            images = f" of {self.held_out:,} images" if self.held_out else ""
            self.say(
                f"{name}: epoch {row['epoch']}  held-out loss {row['val_loss']:.3f}  "
                f"{figures}{images}  {folder}/{file}"
            )
        run, out = map(shlex.quote, (folder, f"{folder}/exports"))
        self.say(f"Next: ghostnet export {run} --formats tflite_int8 --out {out}")

    def say(self, text: str) -> None:
        """Prints a line; a bar stays below it."""
        self.spoken = time.monotonic()
        self.console.print(text, soft_wrap=True, markup=False)

    def _rate(self, number):
        if len(self.recent) < 2:
            return ""
        seconds = (self.recent[-1] - self.recent[0]) / (len(self.recent) - 1)
        return f"  {self.batch_size / seconds:.0f} images/s{self._left(number)}"

    def _step_seconds(self):
        return self.seconds / max(self.counted, 1)

    def _left(self, number, pause=math.inf):
        """The time left, of the steps after this one and of what stands between epochs.

        Args:
            number: Steps that were taken.
            pause: Seconds since the last of them, after an epoch.
        """
        pause = min(self.pause, pause)
        if not self.counted and pause == math.inf:
            return ""
        steps = self.epochs * self.steps_per_epoch - number
        seconds = self._step_seconds() * steps
        if pause < math.inf:  # there has been an epoch
            seconds += pause * math.ceil(steps / self.steps_per_epoch)
        return f"  {duration(seconds)} left"


def loss_note(recipe: Recipe, is_taught: bool) -> str:
    """How the training loss differs from the cross-entropy of the held-out images.

    Args:
        recipe: A `Recipe`.
        is_taught: Whether there is a teacher.
    """
    notes = {
        "smoothed labels": recipe.label_smoothing,
        "mixed images": recipe.augmentation.mixes,
        "weighted classes": recipe.class_weights,
        "with a teacher": is_taught,
    }
    return ", ".join(note for note, applies in notes.items() if applies)
