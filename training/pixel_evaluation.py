"""How well a classifier of pixels does: intersections over unions, every image once."""

import dataclasses

import numpy as np
import tensorflow as tf

from keras_ghostnet.training.results import Results


@dataclasses.dataclass(frozen=True, eq=False)
class PixelEvaluation(Results):
    """The results of a classifier of pixels on a source of images with maps.

    Pixels without a class (255) count nowhere. Images are those of the network: resized and cropped
    as all evaluation does.

    Attributes:
        loss: The mean over the images of the mean cross-entropy of an image's pixels.
        source, indices: As of all `Results`.
        confusion: Counts of pixels, int64 `(classes, classes)`: rows are true classes, columns
            predicted ones.
        image_accuracy: float64 `(examples,)`, the fraction of each image's pixels whose class was
            predicted.
    """

    confusion: np.ndarray
    image_accuracy: np.ndarray

    figures = ("loss", "accuracy", "mean_iou", "examples")

    @property
    def accuracy(self) -> float:
        """The fraction of all pixels whose class was predicted, in [0, 1]."""
        return float(np.trace(self.confusion) / self.confusion.sum())

    @property
    def iou(self) -> np.ndarray:
        """Of each class, float64 `(classes,)`: pixels that are both truly and by prediction of it,
        over those that are either, in [0, 1]; NaN of classes that there are none of."""
        both = np.diag(self.confusion)
        either = self.confusion.sum(axis=0) + self.confusion.sum(axis=1) - both
        return np.divide(both, either, out=np.full(len(both), np.nan), where=either > 0)

    @property
    def mean_iou(self) -> float:
        """The mean of `iou` over the classes that are there, in [0, 1]."""
        return float(np.nanmean(self.iou))

    @property
    def headline(self) -> str:
        """The main figure, in words."""
        return f"mean IoU {self.mean_iou:.2%}"

    def confusion_matrix(self) -> np.ndarray:
        """`confusion`."""
        return self.confusion


def count_pixels(
    labels: tf.Tensor, outputs: tf.Tensor, weights: tf.Tensor, ignored: int
) -> tf.Tensor:
    """Counts of pixels by true and predicted class.

    Args:
        labels: Maps, int32 `(n, height, width)`.
        outputs: Logits `(n, height, width, classes)`.
        weights: `(n,)`: images of weight 0 are not counted.
        ignored: What is no class in the maps.

    Returns:
        int32 `(classes, classes)`: rows are true classes, columns predicted ones.
    """
    classes = outputs.shape[-1]
    predicted = tf.argmax(outputs, axis=-1, output_type=tf.int32)
    counted = (labels != ignored) & (weights > 0)[:, None, None]
    nowhere = classes**2
    places = tf.where(counted, labels * classes + predicted, nowhere)
    counts = tf.math.bincount(
        tf.reshape(places, [-1]), minlength=nowhere + 1, maxlength=nowhere + 1, dtype=tf.int32
    )
    return tf.reshape(counts[:nowhere], (classes, classes))
