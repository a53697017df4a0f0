"""Trains a classifier with `model.fit` and leaves a run directory behind."""

import csv
import dataclasses
import json
import math
import pathlib
import time

import keras

from keras_ghostnet import files
from keras_ghostnet.training.progress import ProgressCallback

MOMENTUM = 0.9
WARMUP = 0.1  # part of all steps in which the learning rate rises to its peak
KEEP = ("best", "last")


@dataclasses.dataclass(frozen=True)
class TrainingResult:
    """What `train` did.

    Attributes:
        history: One dict an epoch: `epoch` (from 1), `learning_rate` at its end, `loss`,
            `accuracy`, `val_loss`, `val_accuracy` (parts in [0, 1]) and `seconds`.
        kept_epoch: The epoch whose weights the model has now.
        seconds: How long it took in all.
    """

    history: list
    kept_epoch: int
    seconds: float


def train(
    model,
    train_data,
    validation_data,
    *,
    epochs,
    run_dir,
    learning_rate=0.1,
    label_smoothing=0.1,
    keep="best",
    console=None,
):
    """Trains a model: SGD with momentum, a linear warm-up and a cosine, label smoothing.

    Writes into `run_dir`: `model.keras`, `metrics.csv` (a row for every epoch, after every
    epoch) and `metrics.json` (the same and what was kept, at the end). Each file appears whole
    or not at all.

    Args:
        model: A Keras classifier that ends in logits or softmax, changed in place.
        train_data: `tf.data.Dataset` of batches of images and one-hot labels.
        validation_data: The same, for the metrics after every epoch.
        epochs: How often to go through `train_data`.
        run_dir: The folder for the files, created if need be.
        learning_rate: The peak, after the warm-up.
        label_smoothing: Part of the target that is spread over all classes, in [0, 1).
        keep: `"best"` leaves the model with the weights of the epoch of the highest validation
            accuracy (the lowest loss among equals), `"last"` with the last ones. An accuracy
            that chose the weights is no longer a fair estimate: take `"last"` to report it.
        console: A `rich.console.Console` for the progress; None takes standard output.

    Returns:
        A `TrainingResult`.

    Raises:
        ValueError: If an argument is out of range or the model does not end in a classifier.
        FloatingPointError: If the loss is not finite any more.
    """
    if epochs < 1:
        raise ValueError(f"`epochs` must be at least 1. Received: epochs={epochs}.")
    if keep not in KEEP:
        raise ValueError(f"`keep` must be one of {KEEP}. Received: keep={keep!r}.")
    run_dir = pathlib.Path(run_dir)
    steps = epochs * len(train_data)
    model.compile(
        keras.optimizers.SGD(_cosine(learning_rate, steps), momentum=MOMENTUM, nesterov=True),
        keras.losses.CategoricalCrossentropy(
            from_logits=_ends_in_logits(model), label_smoothing=label_smoothing
        ),
        metrics=["accuracy"],
        jit_compile=False,  # XLA makes training on a CPU many times slower
    )
    recorder, progress = _Recorder(run_dir), ProgressCallback(console)
    best = _BestWeights() if keep == "best" else None
    start = time.perf_counter()
    try:
        model.fit(
            train_data,
            validation_data=validation_data,
            epochs=epochs,
            verbose=0,
            shuffle=False,  # the dataset shuffles
            callbacks=[_StopIfNotFinite(), recorder, progress, *([best] if best else [])],
        )
    finally:
        progress.close()
    if best:
        model.set_weights(best.weights)
    kept = best.epoch if best else epochs
    result = TrainingResult(recorder.rows, kept, time.perf_counter() - start)
    with files.replacing(run_dir / "model.keras") as partial:
        model.save(partial)
    with files.replacing(run_dir / "metrics.json") as partial:
        partial.write_text(json.dumps(dataclasses.asdict(result), indent=2) + "\n")
    return result


def _cosine(peak, steps):
    """From 0 to `peak` in the first tenth of the steps, then along a cosine to 0."""
    warmup = math.ceil(steps * WARMUP)
    return keras.optimizers.schedules.CosineDecay(
        0.0, max(1, steps - warmup), warmup_target=peak, warmup_steps=warmup
    )


def _ends_in_logits(model):
    activation = getattr(model.layers[-1], "activation", None)
    if activation is keras.activations.softmax:
        return False
    if activation is keras.activations.linear:
        return True
    raise ValueError(
        "The model must end in a layer of logits (`classifier_activation=None`) or softmax "
        f"probabilities. Received: {model.name}, which ends in {model.layers[-1].name!r} with "
        f"activation={activation!r}."
    )


class _StopIfNotFinite(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        self._check(logs["loss"], f"step {batch + 1} of epoch {self.epoch}")

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch + 1

    def on_epoch_end(self, epoch, logs=None):
        if "val_loss" in logs:
            self._check(logs["val_loss"], f"the validation after epoch {self.epoch}")

    def _check(self, loss, where):
        if not math.isfinite(loss):
            raise FloatingPointError(
                f"The loss is {loss} in {where}. Look for values in the images that are not "
                "finite, or lower `learning_rate`."
            )


class _Recorder(keras.callbacks.Callback):
    """Collects the metrics of every epoch and keeps them in `metrics.csv`."""

    def __init__(self, run_dir):
        super().__init__()
        self.path = run_dir / "metrics.csv"
        self.rows = []

    def on_epoch_begin(self, epoch, logs=None):
        self.start = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        self.rows.append(
            {
                "epoch": epoch + 1,
                "learning_rate": float(self.model.optimizer.learning_rate),
                **{name: float(value) for name, value in logs.items()},
                "seconds": time.perf_counter() - self.start,
            }
        )
        with (
            files.replacing(self.path) as partial,
            partial.open("w", newline="") as file,
        ):
            writer = csv.DictWriter(file, self.rows[0])
            writer.writeheader()
            writer.writerows(self.rows)


class _BestWeights(keras.callbacks.Callback):
    """Remembers the weights of the best epoch in memory."""

    def on_train_begin(self, logs=None):
        self.best = (-math.inf, -math.inf)

    def on_epoch_end(self, epoch, logs=None):
        score = (logs["val_accuracy"], -logs["val_loss"])
        if score > self.best:
            self.best, self.epoch, self.weights = score, epoch + 1, self.model.get_weights()
