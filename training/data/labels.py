"""What the pipeline does with the labels of examples: a class for each image, or for every pixel.

Both kinds have the same methods, and are the same eagerly and within tf.data.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from keras_ghostnet.training.data import images, label_maps, transforms
from keras_ghostnet.training.data.augmentation import Augmentation
from keras_ghostnet.training.data.sources import ImageSource


class ImageLabels:
    """Labels that are a class for each image, int32 scalars from 0.

    Args:
        classes: The number of classes.

    Attributes:
        dtype, shape: Of what a reader returns.
    """

    dtype, shape = tf.int32, ()

    def __init__(self, classes: int):
        self.classes = classes

    def none(self) -> tf.Tensor:
        """The label of no example."""
        return tf.constant(0)

    def are_known(self, label: tf.Tensor) -> tf.Tensor:
        """Whether a label is of the classes, a boolean tensor."""
        return (label >= 0) & (label < self.classes)

    def require_fit(self, label: Any, pixels: np.ndarray) -> None:
        """Refuses a label that is none of an image's, by a ValueError.

        Args:
            label: What a reader read in Python.
            pixels: The image, decoded.
        """
        if not 0 <= label < self.classes:
            raise ValueError(f"label {label} is out of range: 0 to {self.classes - 1}")

    def take(self, label: tf.Tensor, picture: tf.Tensor, key: tf.Tensor) -> tf.Tensor:
        """What the part of an image that is seen is labeled with.

        Args:
            label: Of a reader.
            picture: The image, decoded, or the bytes of a JPEG.
            key: What the example is varied by, int64 `(2,)`.
        """
        return tf.cast(label, tf.int32)

    def vary(self, label: tf.Tensor, key: tf.Tensor) -> tf.Tensor:
        """The label of an image that `transforms.augment` varied by the same key."""
        return label

    def usable(self, label: tf.Tensor) -> tf.Tensor | bool:
        """Whether a label says anything."""
        return True


class PixelLabels:
    """Labels that are maps of classes, which move with their images.

    Args:
        classes: The number of classes.
        size: `(height, width)` of the images and maps that are seen, pixels.
        crop: As `Pipeline`.
        augmentation: An `Augmentation`; None for evaluation.

    Raises:
        ValueError: If the augmentation has no meaning for maps.

    Attributes:
        dtype, shape: As those of `ImageLabels`.
    """

    dtype, shape = tf.uint8, (None, None)

    def __init__(
        self,
        classes: int,
        size: Sequence[int],
        crop: float,
        augmentation: Augmentation | None = None,
    ):
        if augmentation:
            augmentation.require_fit_for_maps()
        self.classes, self.size = classes, (size[0], size[1])
        self.crop, self.augmentation = crop, augmentation

    def none(self) -> tf.Tensor:
        return tf.fill(self.size, label_maps.IGNORED)

    def are_known(self, label: tf.Tensor) -> tf.Tensor:
        known = (label < self.classes) | (label == label_maps.IGNORED)
        return (tf.size(label) > 0) & tf.reduce_all(known)

    def require_fit(self, label: Any, pixels: np.ndarray) -> None:
        label_maps.require_fit(label, pixels.shape[:2], self.classes)

    def take(self, label: tf.Tensor, picture: tf.Tensor, key: tf.Tensor) -> tf.Tensor:
        """As of `ImageLabels`; fails if the map is of another size than the image."""
        encoded = picture.dtype == tf.string
        shape = tf.io.extract_jpeg_shape(picture) if encoded else tf.shape(picture)
        same = tf.reduce_all(tf.shape(label) == shape[:2])
        with tf.control_dependencies([tf.debugging.Assert(same, ["another size"])]):
            label = label[..., None]
        if self.augmentation is None:
            label = images.center_crop_map(label, self.size, self.crop)
        else:
            label = transforms.random_view_of_map(label, key, self.size, self.augmentation)
        return tf.cast(label[..., 0], tf.int32)

    def vary(self, label: tf.Tensor, key: tf.Tensor) -> tf.Tensor:
        if self.augmentation is None:
            return label
        return transforms.augment_map(label[..., None], key, self.augmentation)[..., 0]

    def usable(self, label: tf.Tensor) -> tf.Tensor | bool:
        return tf.reduce_any(label != label_maps.IGNORED)


def labels_of(
    source: ImageSource,
    size: Sequence[int],
    crop: float,
    augmentation: Augmentation | None = None,
) -> ImageLabels | PixelLabels:
    """The labels of a source.

    Args:
        source: An `ImageSource`.
        size, crop, augmentation: As those of `PixelLabels`.

    Returns:
        `ImageLabels` or `PixelLabels`.
    """
    classes = len(source.class_names)
    if source.of_pixels:
        return PixelLabels(classes, size, crop, augmentation)
    return ImageLabels(classes)
