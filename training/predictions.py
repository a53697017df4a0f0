"""How well a classifier does, counted over every image once."""

import dataclasses

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
    outputs = model.predict(images, batch_size=batch_size, verbose=0)
    return Predictions(np.asarray(outputs, "float32"), np.asarray(labels))


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
