"""How well a classifier does on labeled images: every image once, for any number of workers."""

import dataclasses
import os
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf
from rich.console import Console

from keras_ghostnet import builder, model_input, model_reference
from keras_ghostnet import console as terminal
from keras_ghostnet.defaults import keras_defaults
from keras_ghostnet.precision import in_float32
from keras_ghostnet.training import classifiers, distribution
from keras_ghostnet.training.data import (
    Pipeline,
    open_source,
    require_same_classes,
)
from keras_ghostnet.training.data.label_maps import IGNORED
from keras_ghostnet.training.heads import is_multi_label, is_of_pixels
from keras_ghostnet.training.logits import correct, logits, of_images
from keras_ghostnet.training.pixel_evaluation import PixelEvaluation, count_pixels
from keras_ghostnet.training.progress import TOP
from keras_ghostnet.training.results import Results
from keras_ghostnet.training.settings import (
    Count,
    Fraction,
    Pixels,
    PositiveFraction,
    Seed,
    within_ranges,
)
from keras_ghostnet.weights import Transform


@dataclasses.dataclass(frozen=True, eq=False)
class Evaluation(Results):
    """A classifier's results on a source; arrays have an entry for every image that was usable.

    Attributes:
        loss: The mean cross-entropy; of independent labels, the mean of theirs.
        source, indices: As of all `Results`.
        accuracy: The fraction of the images whose class was predicted, in [0, 1].
        top5: The fraction whose class is among the five most probable ones, in [0, 1].
        labels: int64 `(examples,)`, the true classes.
        predicted: int64 `(examples,)`, the most probable classes.
        confidence: float64 `(examples,)`, the probabilities of the predicted classes.
    """

    accuracy: float
    top5: float
    labels: np.ndarray
    predicted: np.ndarray
    confidence: np.ndarray

    figures = ("loss", "accuracy", "top5", "examples")

    @property
    def headline(self) -> str:
        """The main figure, in words."""
        return f"top-1 {self.accuracy:.2%}"

    def confusion_matrix(self) -> np.ndarray:
        """Counts, int64 `(classes, classes)`: rows are true classes, columns predicted ones."""
        classes = len(self.source.class_names)
        matrix = np.zeros((classes, classes), np.int64)
        np.add.at(matrix, (self.labels, self.predicted), 1)
        return matrix

    def most_confident_mistakes(self, count: int) -> np.ndarray:
        """Positions in the arrays of at most `count` wrong predictions, most confident first."""
        wrong = np.flatnonzero(self.predicted != self.labels)
        return wrong[np.argsort(-self.confidence[wrong], kind="stable")][:count]


@within_ranges
@keras_defaults()
def evaluate(
    model: keras.Model | str | os.PathLike,
    data: str | os.PathLike,
    *,
    split: str | None = None,
    batch_size: Count = 64,
    crop: PositiveFraction | None = None,
    image_size: Pixels | None = None,
    input: str | None = None,
    seed: Seed | None = None,
    strategy: str = "auto",
    bad_limit: Fraction | None = None,
    trust_model: bool = False,
    console: Console | None = None,
) -> Evaluation | PixelEvaluation:
    """Evaluates a classifier on a source of labeled images, every image once.

    Args:
        model: A Keras classifier, of images or of every pixel, which ends in logits, a softmax or
            sigmoids; a run's folder (its
            best model); a `.keras` file; a name of `list_models()`, with its ImageNet weights; or
            `hf://ORG/NAME` of the Hugging Face hub.
            It is evaluated in float32, as it is exported, also if it was trained in mixed
            precision.
        data: As `keras_ghostnet.training.data.open_source`.
        split: `"train"`, `"val"`, `"test"` or `"all"`. None takes `"val"`, or the whole of a folder
            that has none, unless the model's run holds out its own images of it.
        batch_size: Images at a time; it does not change the result.
        crop: Fraction of the resized image's shorter side that is kept, in (0, 1]; None takes
            the run's, or 0.875.
        image_size: Side of the images that the model is to take, pixels, for one whose size is open
            or to be another; None takes the model's, or the run's.
        input: What the model takes: `"normalized"` images (`keras_ghostnet.preprocess_input`), or
            `"pixels"` in [0, 255] if it normalizes them itself; None detects which.
        seed: Of the split, for a source without splits; None takes the run's, or 0.
        strategy: A name of `keras_ghostnet.training.distribution.STRATEGIES`.
        bad_limit: As `keras_ghostnet.training.data.Pipeline`.
        trust_model: Whether the model's file may run code, as
            `keras_ghostnet.model_file.load_model`.
        console: Where to show progress; None prints nothing.

    Returns:
        An `Evaluation`; a `PixelEvaluation` of a classifier of every pixel.

    Raises:
        FileNotFoundError: If there is no such model or source.
        ValueError: If the model's classes are not the source's, its image size is open, or too
            many images are unusable.
        OSError: If weights cannot be downloaded.
    """
    reference = None
    if not isinstance(model, keras.Model):
        reference = model_reference.resolve_model(model, trust_model)
    if reference:
        crop = reference.crop if crop is None else crop
        seed = reference.seed if seed is None else seed
    placement = distribution.strategy(strategy)
    if split is None and reference and _is_same_source(reference.data, data):
        split = "val"
    source = open_source(data, split, seed=seed or 0, console=console)
    if console is not None:
        console.print(source.description, soft_wrap=True, markup=False)
    with placement.scope():
        network = reference.load(image_size) if reference else classifiers.copy_model(model)
        if image_size:
            network = builder.with_image_size(network, image_size)
        network = in_float32(network)
    _, *size, channels = network.input_shape
    if None in size or channels != 3:
        raise ValueError(
            f"Evaluation needs a model of RGB images of a fixed size. {network.name!r} takes "
            f"{network.input_shape}."
            + (" Give the size of the images: --image-size." if None in size else "")
        )
    require_same_classes(network, source, reference)
    pipeline = Pipeline(
        source,
        image_size=size,
        training=False,
        crop=Transform().crop if crop is None else crop,
        bad_limit=bad_limit,
        input=model_input.resolve_input(network, input),
    )
    steps = pipeline.steps_per_epoch(batch_size)
    with terminal.progress(console, "evaluating", steps) as progress:
        return Evaluator(network, placement).evaluate(pipeline, batch_size, progress)


def _is_same_source(first, second):
    """Whether two texts name the same source of images."""
    if first is None:
        return False
    first, second = os.fspath(first), os.fspath(second)
    return first == second or os.path.realpath(first) == os.path.realpath(second)


class Evaluator:
    """The evaluation of a model, compiled once.

    Args:
        model: A Keras classifier that ends in logits, a softmax or sigmoids.
        strategy: A `tf.distribute.Strategy`; the model was built in its scope.
    """

    def __init__(self, model: keras.Model, strategy: tf.distribute.Strategy):
        self.model, self.strategy = model, strategy
        self._rows = tf.function(self._global_rows, autograph=False, jit_compile=False)

    def evaluate(
        self, pipeline: Pipeline, batch_size: int, progress: Callable[[int], None] | None = None
    ) -> Evaluation | PixelEvaluation:
        """Goes once through a pipeline.

        Args:
            pipeline: A `Pipeline` that was made with `training=False`.
            batch_size: Images at a time, over all replicas; rounded up to a multiple of them.
                It does not change the result; more than there are images are not padded.
            progress: Function of the number of batches that are done, or None.

        Returns:
            An `Evaluation`, the same on all workers; a `PixelEvaluation` of a model of pixels.

        Raises:
            ValueError: If more images are unusable than the pipeline allows, or all are.
        """
        replicas = self.strategy.num_replicas_in_sync
        size = -(-min(batch_size, pipeline.examples) // replicas) * replicas
        parts, counts = [], np.zeros((), np.int64)

        def batches(shard):
            return pipeline.batches(0, global_batch=size, shard=shard)

        with pipeline.explained():
            for done, batch in enumerate(distribution.distribute(self.strategy, batches), start=1):
                part, counted = self._rows(batch)
                parts.append(part.numpy().astype("float64"))
                counts = counts + counted.numpy()
                if progress:
                    progress(done)
        rows = np.concatenate(parts)  # in the order of the source: a row's place is its number
        indices = np.flatnonzero(rows[:, 0])
        if not len(indices):
            raise ValueError(f"{pipeline.source.name} has no example that can be used.")
        if is_of_pixels(self.model):
            _, losses, hits = rows[indices].T
            return PixelEvaluation(float(losses.mean()), pipeline.source, indices, counts, hits)
        _, losses, hits, labels, predicted, confidence, near = rows[indices].T
        return Evaluation(
            loss=float(losses.mean()),
            source=pipeline.source,
            indices=indices,
            accuracy=float(hits.mean()),
            top5=float(near.mean()),
            labels=labels.astype(np.int64),
            predicted=predicted.astype(np.int64),
            confidence=confidence,
        )

    def _global_rows(self, batch):
        """The rows of all replicas, in their order, and the sum of their counts."""
        rows, counts = self.strategy.run(self._step, (batch,))
        return self.strategy.gather(rows, axis=0), self.strategy.reduce("SUM", counts, axis=None)

    def _step(self, batch):
        """One float32 row for each image of a replica's batch, and counts of their pixels."""
        labels, weights = batch["label"], batch["weight"]
        outputs = logits(self.model, batch["image"])
        known = tf.minimum(labels, outputs.shape[-1] - 1)  # pixels without a class have some
        if is_multi_label(self.model):
            targets = tf.one_hot(known, outputs.shape[-1])
            probabilities = tf.sigmoid(outputs)
            losses = keras.losses.binary_crossentropy(targets, outputs, from_logits=True)
        else:
            probabilities = tf.nn.softmax(outputs)
            losses = keras.losses.sparse_categorical_crossentropy(known, outputs, from_logits=True)
        columns = [weights, of_images(losses, labels), correct(labels, outputs)]
        if is_of_pixels(self.model):
            counts = count_pixels(labels, outputs, weights, IGNORED)
        else:
            counts = tf.zeros(0, tf.int32)
            columns += [
                labels,
                tf.argmax(outputs, axis=-1),
                tf.reduce_max(probabilities, axis=-1),
                tf.math.in_top_k(labels, outputs, min(TOP, outputs.shape[-1])),
            ]
        return tf.stack([tf.cast(column, "float32") for column in columns], axis=-1), counts
