"""How well a classifier does, counted over every image once."""

import dataclasses
import functools
from collections.abc import Callable

import keras
import numpy as np


@dataclasses.dataclass(frozen=True)
class Predictions:
    """What a model put out for a dataset.

    Attributes:
        outputs: Float32 `(n, classes)`, logits or probabilities, as the model ends.
        labels: The true classes' indices `(n,)`.
    """

    outputs: np.ndarray
    labels: np.ndarray

    @property
    def classes(self) -> np.ndarray:
        """The predicted classes' indices `(n,)`."""
        return self.outputs.argmax(axis=-1)

    @property
    def accuracy(self) -> float:
        """The fraction of the images whose class was predicted, in [0, 1]."""
        return float(np.mean(self.classes == self.labels))


def predict(
    model: keras.Model, images: np.ndarray, labels: np.ndarray, batch_size: int = 64
) -> Predictions:
    """Runs a model on images in memory.

    Args:
        model: A Keras classifier.
        images: `(n, height, width, channels)`, as the model takes them.
        labels: The true classes' indices `(n,)`.
        batch_size: Images at a time; it does not change the result.

    Returns:
        `Predictions`.
    """
    outputs = run(model, images, batch_size)
    return Predictions(outputs.astype("float32"), np.asarray(labels))


def run(model: keras.Model, images: np.ndarray, batch_size: int = 32) -> np.ndarray:
    """A model's outputs for images in memory.

    Args:
        model: A Keras model of one input and one output.
        images: `(n, height, width, channels)`, at least one, as the model takes them.
        batch_size: Images at a time; it does not change the result.

    Returns:
        The outputs `(n, ...)`.
    """
    function = runner(model)
    starts = range(0, len(images), batch_size)
    return np.concatenate([function(images[start : start + batch_size]) for start in starts])


def runner(model: keras.Model) -> Callable[[np.ndarray], np.ndarray]:
    """A function of a batch of images that returns a model's outputs.

    Unlike `keras.Model.predict`, it makes no pipeline for every call, which takes longer than small
    networks do.

    Args:
        model: A Keras model of one input and one output.

    Returns:
        The function; batches of all sizes take one trace.
    """
    if keras.backend.backend() != "tensorflow":
        return model.predict_on_batch
    import tensorflow as tf

    function = tf.function(lambda batch: model(batch, training=False), autograph=False)

    @functools.cache
    def traced(shape, dtype):
        return function.get_concrete_function(tf.TensorSpec((None, *shape), dtype))

    return lambda batch: traced(batch.shape[1:], batch.dtype)(tf.constant(batch)).numpy()


def confusion_matrix(predictions: Predictions) -> np.ndarray:
    """Counts what each class was taken for.

    Args:
        predictions: `Predictions`.

    Returns:
        Integers `(classes, classes)`: rows are true classes, columns predicted ones.
    """
    classes = predictions.outputs.shape[-1]
    matrix = np.zeros((classes, classes), int)
    np.add.at(matrix, (predictions.labels, predictions.classes), 1)
    return matrix
