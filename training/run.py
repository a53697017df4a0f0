"""One training run in one folder: begun, continued where it stopped, and finished."""

import dataclasses
import importlib.util
import json
import pathlib
import time

import keras
import tensorflow as tf
from rich.console import Console

from keras_ghostnet import model_reference
from keras_ghostnet.training import classifiers, distribution, run_folder
from keras_ghostnet.training.checkpoints import Checkpoints, State
from keras_ghostnet.training.data import Pipeline, open_source
from keras_ghostnet.training.evaluator import Evaluator
from keras_ghostnet.training.loop import Loop
from keras_ghostnet.training.progress import TrainingProgress
from keras_ghostnet.training.signals import on_signals
from keras_ghostnet.training.step_watch import NO_SUMS, StepWatch

SPLITS = ("train", "val")
PACKAGES = {"matplotlib": "matplotlib", "PIL": "pillow", "tensorboard": "tensorboard"}


class Stopped(Exception):
    """The run was told to stop; its state is saved."""


class Run:
    """A run of a recipe over a data source.

    What the folder holds is listed in `keras_ghostnet.training.run_folder`. Only the chief worker
    writes, but for `bad_examples.csv`, to which every worker adds what it meets.

    Args:
        recipe: The `Recipe`.
        data: A source as `keras_ghostnet.training.data.open_source` takes it.
        run_dir: The folder. A run in it continues; one of another recipe is refused.
        strategy: A name of `keras_ghostnet.training.distribution.STRATEGIES`.
        teacher: A Keras classifier to distil from, instead of the recipe's; None for that.
        deterministic: Whether to take slower ops whose results do not vary: then a continued
            run ends with the very weights of one that was never stopped.
        checkpoint_steps: Steps between checkpoints, beside those at the end of every epoch.
        checkpoint_minutes: Minutes after which there is a checkpoint at the latest.
        keep: How many of the last checkpoints are kept, beside the best one.
        bad_limit: The part of the examples that may be impossible to use, in [0, 1].
        console: A `rich.console.Console`; None takes standard output.

    Raises:
        ImportError: If a package is missing that only training needs.
        ValueError: If recipe, data or strategy do not fit, or the folder is another run's.
        OSError: If data cannot be read, or the folder cannot be written.
    """

    def __init__(
        self,
        recipe,
        data,
        run_dir,
        *,
        strategy="auto",
        teacher=None,
        deterministic=False,
        checkpoint_steps=1000,
        checkpoint_minutes=15.0,
        keep=3,
        bad_limit=0.001,
        console=None,
    ):
        _check_packages()
        for name, value in (("checkpoint_steps", checkpoint_steps), ("keep", keep)):
            if value < 1:
                raise ValueError(f"`{name}` must be at least 1. Received: {name}={value}.")
        self.recipe, self.bad_limit = recipe, bad_limit
        self.console = console or Console(highlight=False)
        self.checkpoint_steps, self.checkpoint_minutes = checkpoint_steps, checkpoint_minutes
        self.described = {"data": str(data), **dataclasses.asdict(recipe)}
        self.described = json.loads(json.dumps(self.described))  # as a checkpoint gives it back
        keras.utils.set_random_seed(recipe.seed)
        if deterministic:
            tf.config.experimental.enable_op_determinism()
        self.strategy = distribution.strategy(strategy)
        self.chief = distribution.is_chief(self.strategy)
        _check_batch(recipe, self.strategy.num_replicas_in_sync)
        folder = pathlib.Path(run_dir)
        self.checkpoints = Checkpoints(folder / run_folder.CHECKPOINTS, keep, self._say)
        self.state = self.checkpoints.latest(self.described)  # refused now, before long work
        self.folder = run_folder.RunFolder(folder, self.chief)
        self.train, self.held_out = (self._pipeline(data, split) for split in SPLITS)
        self.steps = self.train.steps_per_epoch(recipe.batch_size)
        self.loop = Loop(recipe, self._build, self.steps, self.strategy, self._teacher(teacher))
        self.evaluator = Evaluator(self.loop.model, self.strategy)
        self.step, self.history, self.sums = 0, [], dict(NO_SUMS)
        self.stop, self.saved = False, time.monotonic()
        self.config = {
            "run": self.described,
            "strategy": type(self.strategy).__name__,
            "replicas": self.strategy.num_replicas_in_sync,
            "deterministic": deterministic,
            "classes": list(self.train.class_names),
            "examples": {"train": self.train.examples, "val": self.held_out.examples},
        }

    def _pipeline(self, data, split):
        recipe = self.recipe
        return Pipeline(
            open_source(data, split, seed=recipe.seed),
            image_size=recipe.image_size,
            training=split == "train",
            augmentation=recipe.augmentation,
            seed=recipe.seed,
            crop=recipe.crop,
            bad_limit=self.bad_limit,
            bad_examples=self.folder.path / run_folder.BAD,
        )

    def _build(self):
        return classifiers.build(self.recipe, len(self.train.class_names))

    def _teacher(self, model):
        if model is not None:
            return lambda: classifiers.copy(model)
        text = self.recipe.teacher
        return text and model_reference.find(text).load

    # -------------------------------------------------------------- the run

    def go(self):
        """Trains to the end, from the last checkpoint if there is one.

        Returns:
            A dictionary: what `metrics.json` holds, the rows of the `best` and the `last` epoch.

        Raises:
            Stopped: On SIGTERM or SIGINT, after a checkpoint was written.
            FloatingPointError: If the loss is not finite any more; the last checkpoint holds.
            ConnectionError: If another worker is gone.
            ValueError: If too many examples cannot be used.
            OSError: If the folder cannot be written to; the last checkpoint holds.
        """
        self._continue()
        self.folder.config(self.config)
        self.progress = TrainingProgress(
            self.console if self.chief else Console(quiet=True),
            batch_size=self.recipe.batch_size,
            steps_per_epoch=self.steps,
            epochs=self.recipe.epochs,
            start=self.step,
        )
        try:
            with on_signals(self._stop), self.progress:
                while len(self.history) < self.recipe.epochs:
                    self._epoch(len(self.history))
        except (tf.errors.UnavailableError, tf.errors.AbortedError) as error:
            raise ConnectionError(
                f"Another worker is gone after step {self.step}: {run_folder.said(error)} "
                "Start all workers again: they continue at the last checkpoint."
            ) from error
        finally:
            self.folder.curve(self.history)
            self.folder.close()
        return self._finish()

    def _continue(self):
        state, self.state = self.state, None
        step = tf.constant(state.step if state else 0, "float64")
        mean = self.strategy.reduce("MEAN", self.strategy.run(lambda: tf.identity(step)), axis=None)
        if float(mean) != float(step):
            raise ValueError(
                f"The workers do not see the same checkpoints in {self.checkpoints.folder}: the "
                "run's folder must be on a file system that all of them share."
            )
        if state:
            self.loop.restore(state.variables)
            self.step, self.history, self.sums = state.step, state.history, state.sums
            epochs = len(self.history)
            within = self.step - epochs * self.steps
            self._say(f"Continuing after {epochs} epochs and {within} steps")

    def _epoch(self, epoch):
        watch = StepWatch(self)

        def batches(shard):
            return self.train.batches(
                epoch,
                global_batch=self.recipe.batch_size,
                start_step=self.step - epoch * self.steps,
                shard=shard,
            )

        with self.train.explained():
            for batch in distribution.distribute(self.strategy, batches):
                if not self.step:
                    self._picture(batch)
                result = self.loop.train_step(batch, self.stop, self._is_checkpoint_due())
                self.step += 1
                stop, save = watch.follow(result, batch)
                if stop or save or self._is_checkpoint_step():
                    watch.finish()
                    self._save(self._state(watch))
                if stop:
                    raise self._stopped()
        stop, _ = watch.finish()
        variables = self._state(watch)
        if stop:  # the held-out images wait until the run continues
            self._save(variables)
            raise self._stopped()
        self.progress.evaluating()
        with self.loop.evaluated_weights() as model:
            held_out = self.evaluator.evaluate(self.held_out, self.recipe.batch_size)
            row = {
                "epoch": epoch + 1,
                "step": self.step,
                "learning_rate": float(self.loop.optimizer.learning_rate),
                **self._means(),
                **{f"val_{key}": held_out[key] for key in ("loss", "accuracy", "top5")},
                "images_per_second": watch.images_per_second(),
            }
            self.history.append(row)
            self.sums = dict(NO_SUMS)
            self.folder.epoch(self.history, model)
        self._save(variables)
        self.progress.epoch(row)

    def _means(self):
        """Loss and accuracy of training over the epoch."""
        steps = self.sums["steps"]
        return {name: self.sums[name] / steps for name in ("loss", "accuracy")}

    def _is_checkpoint_step(self):
        return self.step % self.checkpoint_steps == 0 and self.step % self.steps

    def _is_checkpoint_due(self):
        """Whether too much time has passed: by the chief's clock, and then all know."""
        return self.chief and time.monotonic() - self.saved > 60 * self.checkpoint_minutes

    def _state(self, watch):
        variables = self.loop.state()  # all workers together
        watch.check(variables)
        return variables

    def _save(self, variables):
        if self.chief:
            self.checkpoints.save(
                State(self.step, variables, self.described, self.history, self.sums)
            )
        self.saved = time.monotonic()

    def _picture(self, batch):
        local = {
            name: self.strategy.experimental_local_results(batch[name])[0].numpy()
            for name in ("image", "label")
        }
        self.folder.training_batch(local, self.train.class_names)

    def _finish(self):
        best = max(self.history, key=lambda row: row["val_accuracy"])
        metrics = {"last": self.history[-1], "best": best}
        self.folder.metrics(metrics)
        return metrics

    def _stop(self):
        self.stop = True

    def _stopped(self):
        return Stopped(f"Stopped after step {self.step}; the same command continues there.")

    def _say(self, text):
        if self.chief:
            self.console.print(text, soft_wrap=True)


def _check_packages():
    missing = [name for module, name in PACKAGES.items() if not importlib.util.find_spec(module)]
    if missing:
        raise ImportError(
            f"Training needs packages that are not installed: {', '.join(missing)}. Install them "
            'with: pip install "keras_ghostnet[train]"'
        )


def _check_batch(recipe, replicas):
    if recipe.batch_size % (replicas * recipe.accumulate):
        parts = f" times {recipe.accumulate} parts" if recipe.accumulate > 1 else ""
        raise ValueError(
            f"`batch_size` must be a multiple of the {replicas} replicas{parts}. "
            f"Received: batch_size={recipe.batch_size}."
        )
