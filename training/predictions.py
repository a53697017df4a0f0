"""How well a classifier does, counted over every image once."""

import dataclasses

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
    def classes(self):
        """The predicted classes' indices `(n,)`."""
        return self.outputs.argmax(axis=-1)

    @property
    def accuracy(self):
        """The fraction of the images whose class was predicted, in [0, 1]."""
        return float(np.mean(self.classes == self.labels))


def predict(model, images, labels, batch_size=64):
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


def confusion_matrix(predictions):
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
