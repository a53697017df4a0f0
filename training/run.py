"""One training run in one folder: begun, continued where it stopped, and finished."""

import csv
import dataclasses
import json
import math
import pathlib
import platform
import signal
import time

import keras
import tensorflow as tf
from rich.console import Console

from keras_ghostnet import files, specs
from keras_ghostnet.registry import from_spec
from keras_ghostnet.training import distribution
from keras_ghostnet.training.checkpoints import Checkpoints, State
from keras_ghostnet.training.data import Pipeline, open_source
from keras_ghostnet.training.loop import Loop
from keras_ghostnet.version import __version__

SPLITS = ("train", "val")


class Stopped(Exception):
    """The run was told to stop; its state is saved."""


class Run:
    """A run of a recipe over a data source.

    The folder holds `config.json`, `checkpoints/`, `metrics.csv` (a row for every epoch),
    `bad_examples.csv` if there are any, `model.keras` (the best epoch's) and `last.keras`, and
    at the end `metrics.json`. Only the chief worker writes.

    Args:
        recipe: The `Recipe`.
        data: A source as `keras_ghostnet.training.data.open_source` takes it.
        run_dir: The folder. A run in it continues; one of another recipe is refused.
        strategy: A name of `keras_ghostnet.training.distribution.STRATEGIES`.
        deterministic: Whether to take slower ops whose results do not vary: then a continued
            run ends with the very weights of one that was never stopped.
        checkpoint_steps: Steps between checkpoints, beside those at the end of every epoch.
        keep: How many checkpoints are kept.
        console: A `rich.console.Console`; None takes standard output.

    Raises:
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
        deterministic=False,
        checkpoint_steps=1000,
        keep=3,
        console=None,
    ):
        self.recipe = recipe
        self.folder = pathlib.Path(run_dir)
        self.console = console or Console(highlight=False)
        self.checkpoint_steps = checkpoint_steps
        self.described = {"data": str(data), **dataclasses.asdict(recipe)}
        self.described = json.loads(json.dumps(self.described))  # as a checkpoint gives it back
        keras.utils.set_random_seed(recipe.seed)
        if deterministic:
            tf.config.experimental.enable_op_determinism()
        self.strategy = distribution.strategy(strategy)
        self.chief = distribution.is_chief(self.strategy)
        replicas = self.strategy.num_replicas_in_sync
        if recipe.batch_size % replicas:
            raise ValueError(
                f"`batch_size` must be a multiple of the {replicas} replicas. "
                f"Received: batch_size={recipe.batch_size}."
            )
        self.train, self.held_out = (self._pipeline(data, split) for split in SPLITS)
        self.steps = self.train.steps_per_epoch(recipe.batch_size)
        self.checkpoints = Checkpoints(self.folder / "checkpoints", keep, self._say)
        self.loop = Loop(recipe, self._build, self.steps, self.strategy)
        self.step, self.history = 0, []
        self.stop = False

    def _pipeline(self, data, split):
        recipe = self.recipe
        return Pipeline(
            open_source(data, split, seed=recipe.seed),
            image_size=recipe.image_size,
            training=split == "train",
            augmentation=recipe.augmentation,
            seed=recipe.seed,
            crop=recipe.crop,
            bad_examples=self.folder / "bad_examples.csv" if self.chief else None,
        )

    def _build(self):
        recipe = self.recipe
        policy = keras.config.dtype_policy()
        keras.config.set_dtype_policy(recipe.precision)
        try:
            options = dict(
                input_shape=(recipe.image_size, recipe.image_size, 3), weights=recipe.weights
            )
            model = _classifier(recipe, len(self.train.class_names), options)
        finally:
            keras.config.set_dtype_policy(policy)
        for layer in model._flatten_layers():
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.synchronized = recipe.synchronized_bn
        return model

    # -------------------------------------------------------------- the run

    def go(self):
        """Trains to the end, from the last checkpoint if there is one.

        Returns:
            A dictionary: what `metrics.json` holds.

        Raises:
            Stopped: On SIGTERM or SIGINT, after a checkpoint was written.
            FloatingPointError: If the loss is not finite any more; the last checkpoint holds.
            ValueError: If too many examples cannot be used.
        """
        self._continue()
        self._describe()
        with _signals(self._stop):
            while len(self.history) < self.recipe.epochs:
                self._epoch(len(self.history))
        return self._finish()

    def _continue(self):
        state = self.checkpoints.latest(self.described)
        if state is None:
            return
        self.loop.restore(state.variables)
        self.step, self.history = state.step, state.history
        done, within = divmod(self.step, self.steps)
        self._say(f"Continuing after {done} epochs and {within} steps")

    def _epoch(self, epoch):
        recipe, start, within = self.recipe, time.perf_counter(), self.step - epoch * self.steps
        sums, first = [], self.step

        def batches(shard):
            return self.train.batches(
                epoch, global_batch=recipe.batch_size, start_step=within, shard=shard
            )

        with self.train.explained():
            for batch in self.loop.distribute(batches):
                loss, accuracy, stop = self.loop.train_step(batch, self.stop)
                self.step += 1
                sums.append((float(loss), float(accuracy)))
                if not math.isfinite(sums[-1][0]):
                    raise FloatingPointError(self._not_finite(sums[-1][0], batch))
                if bool(stop):
                    self._save()
                    raise Stopped(
                        f"Stopped after step {self.step}; the same command continues there."
                    )
                if self.step % self.checkpoint_steps == 0 and self.step % self.steps:
                    self._save()
        seconds = time.perf_counter() - start
        held_out = self.evaluate()
        self._record(epoch, sums, held_out, seconds, self.step - first)
        self._save()

    def evaluate(self):
        """Loss and accuracies over the held-out examples, each counted once.

        Returns:
            A dictionary: `val_loss`, `val_accuracy`.
        """
        replicas = self.strategy.num_replicas_in_sync
        size = -(-self.recipe.batch_size // replicas) * replicas

        def batches(shard):
            return self.held_out.batches(0, global_batch=size, shard=shard)

        totals = [0.0, 0.0, 0.0]
        with self.loop.evaluated_weights(), self.held_out.explained():
            for batch in self.loop.distribute(batches):
                sums = self.loop.evaluation_step(batch)
                totals = [total + float(value) for total, value in zip(totals, sums, strict=True)]
        loss, correct, weight = totals
        return {"val_loss": loss / weight, "val_accuracy": correct / weight}

    def _record(self, epoch, sums, held_out, seconds, steps):
        losses, accuracies = zip(*sums, strict=True)
        rate = self.loop.optimizer.learning_rate
        row = {
            "epoch": epoch + 1,
            "step": self.step,
            "learning_rate": float(rate),
            "loss": sum(losses) / len(losses),
            "accuracy": sum(accuracies) / len(accuracies),
            **held_out,
            "images_per_second": steps * self.recipe.batch_size / seconds,
        }
        best = all(row["val_accuracy"] > old["val_accuracy"] for old in self.history)
        self.history.append(row)
        left = (self.recipe.epochs - epoch - 1) * seconds * self.steps / steps
        self._say(
            f"epoch {epoch + 1}/{self.recipe.epochs}  loss {row['loss']:.3f}  held-out accuracy "
            f"{row['val_accuracy']:.2%}  {row['images_per_second']:.0f} images/s  {left:.0f} s left"
        )
        with self.loop.evaluated_weights() as model:
            if self.chief:
                for name in ("model.keras", "last.keras") if best else ("last.keras",):
                    with files.replacing(self.folder / name) as partial:
                        model.save(partial)
        if self.chief:
            with files.replacing(self.folder / "metrics.csv") as partial:
                _write_csv(partial, self.history)

    def _save(self):
        variables = self.loop.state()  # all workers together
        if self.chief:
            self.checkpoints.save(State(self.step, variables, self.described, self.history))

    def _describe(self):
        if not self.chief:
            return
        config = {
            "run": self.described,
            "versions": {
                "keras_ghostnet": __version__,
                "keras": keras.__version__,
                "tensorflow": tf.__version__,
                "python": platform.python_version(),
            },
            "classes": list(self.train.class_names),
            "replicas": self.strategy.num_replicas_in_sync,
        }
        with files.replacing(self.folder / "config.json") as partial:
            partial.write_text(json.dumps(config, indent=2) + "\n")

    def _finish(self):
        best = max(self.history, key=lambda row: row["val_accuracy"])
        metrics = {"last": self.history[-1], "best": best}
        if self.chief:
            with files.replacing(self.folder / "metrics.json") as partial:
                partial.write_text(json.dumps(metrics, indent=2) + "\n")
        return metrics

    def _stop(self):
        self.stop = True

    def _say(self, text):
        if self.chief:
            self.console.print(text, soft_wrap=True)

    def _not_finite(self, loss, batch):
        local = self.strategy.experimental_local_results(batch["index"])
        indices = [int(index) for part in local for index in part]
        keys = [self.train.source.key(index) for index in indices[:5] if index >= 0]
        return (
            f"The loss is {loss} in step {self.step}, on {', '.join(keys)} and others. The last "
            "checkpoint holds the state before. Look at these images, or lower `learning_rate`."
        )


def _classifier(recipe, classes, options):
    """The model; with pretrained weights, their backbone below a classifier of one's own."""
    spec = specs.find(recipe.model)
    top = dict(classes=classes, classifier_activation=None, dropout_rate=recipe.dropout_rate)
    if recipe.weights is None:
        return from_spec(spec, **top, **options)
    backbone = from_spec(spec, include_top=False, pooling="avg", **options)
    x = keras.layers.Dropout(recipe.dropout_rate, name="dropout")(backbone.output)
    logits = keras.layers.Dense(classes, name="predictions", dtype="float32")(x)
    return keras.Model(backbone.input, logits, name=spec.name)


class _signals:
    """Calls a function on SIGTERM or SIGINT, within the body."""

    def __init__(self, function):
        self.function = function

    def __enter__(self):
        self.before = {
            number: signal.signal(number, lambda *_: self.function())
            for number in (signal.SIGTERM, signal.SIGINT)
        }

    def __exit__(self, *_):
        for number, handler in self.before.items():
            signal.signal(number, handler)


def _write_csv(path, rows):
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
