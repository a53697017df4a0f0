"""Follows the steps of an epoch: sums, progress, logs, and a loss that is not finite."""

import math
import time

from keras_ghostnet.training.run_folder import NOT_FINITE

LOGGED = 50  # steps between points of the TensorBoard logs
NO_SUMS = {"steps": 0, "loss": 0.0, "accuracy": 0.0}


class StepWatch:
    """Follows the steps of an epoch, each one step late: so that none waits for its result."""

    def __init__(self, run):
        self.run = run
        self.pending = None
        self.start, self.steps = None, 0

    def follow(self, result, batch):
        """Takes the result of a step that was begun; looks at the one before.

        Returns:
            Whether, by the step before, any worker was told to stop, and whether one wants a
            checkpoint.
        """
        before, self.pending = self.pending, (self.run.step, result, batch["index"])
        return self._look(*before) if before else (False, False)

    def finish(self):
        """Looks at the last step too; returns the same of it."""
        before, self.pending = self.pending, None
        return self._look(*before) if before else (False, False)

    def images_per_second(self):
        """Without the first step, in which the graph may be built."""
        if self.steps < 2:
            return 0.0
        return (self.steps - 1) * self.run.recipe.batch_size / (self.end - self.start)

    def _look(self, step, result, index):
        run = self.run
        loss, accuracy, stop, save = result.numpy().tolist()
        self.end = time.perf_counter()
        self.start, self.steps = self.start or self.end, self.steps + 1
        if not math.isfinite(loss):
            self._fail(step, loss, index)
        for name, value in (("steps", 1), ("loss", loss), ("accuracy", accuracy)):
            run.sums[name] += value
        run.progress.step(step, loss, accuracy)
        if step % LOGGED == 0:
            run.folder.scalars(step, {"step/loss": loss, "step/accuracy": accuracy})
        return stop > 0, save > 0

    def _fail(self, step, loss, index):
        run = self.run
        local = run.strategy.experimental_local_results(index)
        indices = [int(number) for part in local for number in part]
        keys = [run.train.source.key(number) for number in indices if number >= 0]
        run.folder.not_finite(keys, step, loss)
        raise FloatingPointError(
            f"The loss is {loss} in step {step}. Its examples are listed in "
            f"{run.folder.path / NOT_FINITE}; the first is {keys[0]}. The last checkpoint holds "
            "the state before. Look at these images, or lower `learning_rate`."
        )
