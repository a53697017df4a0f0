"""Follows the steps of an epoch: sums, progress, logs, and a loss that is not finite."""

import math
import time
from typing import Any

import numpy as np
import tensorflow as tf

from keras_ghostnet.training.run_folder import NOT_FINITE

LOGGED = 50  # steps between points of the TensorBoard logs
NO_SUMS = {"steps": 0, "loss": 0.0, "accuracy": 0.0}


class StepMonitor:
    """Follows the steps of an epoch, each one step late: so that none waits for its result.

    Args:
        run: The `run.Run` that takes the steps.
    """

    def __init__(self, run: Any):
        self.run = run
        self.pending: tuple[Any, ...] | None = None
        self.last: tuple[Any, ...] = ()
        self.start, self.steps = None, 0

    def follow(self, result: tf.Tensor, batch: dict[str, Any]) -> tuple[bool, bool]:
        """Takes the result of a step that was started; looks at the one before.

        Args:
            result: Of `Loop.train_step`, `(4,)`: loss, accuracy, and how many workers are to stop
                and want a checkpoint.
            batch: What the step was given.

        Returns:
            Whether, by the step before, any worker was told to stop, and whether one wants a
            checkpoint.
        """
        before, self.pending = self.pending, (self.run.step, result, batch["index"])
        return self._look(*before) if before else (False, False)

    def finish(self) -> tuple[bool, bool]:
        """Looks at the last step too; returns the same of it."""
        before, self.pending = self.pending, None
        return self._look(*before) if before else (False, False)

    def require_finite(self, variables: dict[str, np.ndarray]) -> None:
        """Refuses a state that is not finite, as an update can leave it after a finite loss.

        Args:
            variables: Arrays by name, the state after the last step that was followed.

        Raises:
            FloatingPointError: If there is such a number in them.
        """
        for name, value in variables.items():
            if not np.isfinite(value).all():
                self._fail(f"{name} is not finite after", *self.last)

    def images_per_second(self) -> float:
        """Without the first step, in which the graph may be built."""
        if self.steps < 2:
            return 0.0
        return (self.steps - 1) * self.run.recipe.batch_size / (self.end - self.start)

    def _look(self, step, result, index):
        run, self.last = self.run, (step, result, index)
        loss, accuracy, stop, save = result.numpy().tolist()
        self.end = time.perf_counter()
        self.start, self.steps = self.start or self.end, self.steps + 1
        if not math.isfinite(loss):
            self._fail(f"The loss is {loss} in", step, result, index)
        for name, value in (("steps", 1), ("loss", loss), ("accuracy", accuracy)):
            run.sums[name] += value
        run.progress.step(step, loss, accuracy)
        if step % LOGGED == 0:
            run.folder.scalars(step, {"step/loss": loss, "step/accuracy": accuracy})
        return stop > 0, save > 0

    def _fail(self, what, step, result, index):
        run = self.run
        indices = run.strategy.gather(index, axis=0).numpy()  # all workers together
        keys = [run.train.source.key(number) for number in indices if number >= 0]
        run.folder.not_finite(keys, step, float(result[0]))
        raise FloatingPointError(
            f"{what} step {step}. Its examples are listed in {run.folder.path / NOT_FINITE}; the "
            f"first is {keys[0]}. The last checkpoint holds the state before. Look at these "
            "images, or start again with a lower `learning_rate`."
        )
