"""Training data of any kind as checked batches."""

import itertools

import numpy as np

from keras_ghostnet.training.data.label_maps import IGNORED


class Batches:
    """Batches of images and labels, checked before they are used.

    Args:
        data: Anything that can be iterated over again and again, such as a `tf.data.Dataset` or a
            list, of `(images, labels)`, `(images, labels, weights)` or dictionaries with `image`,
            `label` and, if there is one, `weight`. Images are `(n, height, width, channels)` as
            the model takes them; labels are integers `(n,)`, or probabilities `(n, classes)`; of a
            model of pixels, maps of them `(n, height, width)` or `(n, height, width, classes)`.
        input_shape: The model's, with the batch.
        classes: The number of classes.
        epochs: How often to go through `data`.
        steps: Batches in all, whatever the epochs are; None takes whole epochs.
        map_size: `(height, width)` of the maps of a model of pixels.

    Attributes:
        steps: Batches in all.
        epoch_steps: Batches of an epoch.

    Raises:
        TypeError: If `data` can be iterated over only once.
        ValueError: If the first batch does not fit, or the length is not known.
    """

    def __init__(self, data, input_shape, classes, epochs, steps, map_size=()):
        if iter(data) is data:
            raise TypeError(
                "`train_data` must be something to iterate over again and again, such as a "
                f"tf.data.Dataset or a list of batches. Received: {type(data).__name__}."
            )
        self.data, self.shape, self.classes = data, tuple(input_shape[1:]), classes
        self.map_size = tuple(map_size)
        length = _length(data)
        if length is None and steps is None:
            raise ValueError("`train_data` has no length: give `steps` as well.")
        if length == 0:
            raise ValueError("`train_data` holds no batches.")
        self.steps = steps or epochs * length
        self.epoch_steps = min(length or self.steps, self.steps)
        self._checked(next(iter(data)))

    def __iter__(self):
        """Yields images float32, labels float32 `(n, ..., classes)` and weights `(n,)`.

        The labels of pixels without a class are zeros.
        """
        done = 0
        while done < self.steps:
            before = done
            for batch in self.data:
                yield self._checked(batch)
                done += 1
                if done == self.steps:
                    break
            if done == before:
                raise ValueError("`train_data` holds no batches.")

    def once(self, most):
        """Yields the images, float32, of the first batches: of an epoch, or of `most` batches."""
        for batch in itertools.islice(self.data, most):
            images, _, weights = self._checked(batch)
            yield images[weights > 0]  # a weight of 0 marks padding

    def _checked(self, batch):
        if isinstance(batch, dict):
            batch = [batch[name] for name in ("image", "label", "weight") if name in batch]
        images, labels, *weights = map(np.asarray, batch)
        if images.ndim != len(self.shape) + 1 or not _fits(images.shape[1:], self.shape):
            raise ValueError(
                f"The model takes images (n, {', '.join(map(str, self.shape))}). Received a batch "
                f"of shape {images.shape}."
            )
        if not np.isfinite(images).all():  # a ReLU may hide it from the loss
            raise ValueError("A batch of images has values that are not finite.")
        if len(labels) != len(images):
            raise ValueError(f"Received {len(images)} images with {len(labels)} labels.")
        weights = weights[0] if weights else np.ones(len(images))
        return images.astype("float32"), self._probabilities(labels), weights.astype("float32")

    def _probabilities(self, labels):
        if labels.shape[1:] == (*self.map_size, self.classes):
            return labels.astype("float32")
        if labels.shape[1:] != self.map_size or not np.issubdtype(labels.dtype, np.integer):
            maps = "".join(f", {side}" for side in self.map_size)
            raise ValueError(
                f"Labels must be integers (n{maps or ','}), or probabilities (n{maps}, "
                f"{self.classes}). Received: {labels.dtype} {labels.shape}."
            )
        # One more class, whose probability is dropped, for pixels without one.
        known = np.where(labels == IGNORED, self.classes, labels) if self.map_size else labels
        if known.min() < 0 or known.max() >= self.classes + bool(self.map_size):
            raise ValueError(
                f"Labels must be 0 to {self.classes - 1}, as the model has {self.classes} classes. "
                f"Found {labels.min()} to {labels.max()}."
            )
        return np.eye(self.classes + 1, self.classes, dtype="float32")[known]


def _length(data):
    try:
        return len(data)
    except TypeError:  # not known, or infinite
        return None


def _fits(found, wanted):
    return all(size in (None, part) for part, size in zip(found, wanted, strict=True))
