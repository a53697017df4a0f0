"""Image folders as batches that the networks take."""

import dataclasses
import pathlib

import keras
import numpy as np
import tensorflow as tf

from keras_ghostnet import preprocess_input

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png")  # what Keras' loader reads


@dataclasses.dataclass(frozen=True)
class ImageFolder:
    """The images of a folder, ready for `model.fit`.

    Attributes:
        batches: `tf.data.Dataset` of images, float32 `(batch, height, width, 3)` as
            `preprocess_input` makes them, and labels, one-hot float32 `(batch, classes)`.
        class_names: The names of the subfolders, in the order of the labels.
        paths: The files of all images, in the order of `batches` unless it is for training;
            an epoch of training may leave some out.
    """

    batches: tf.data.Dataset
    class_names: tuple
    paths: tuple


def image_folder(directory, image_size, *, batch_size=32, training=False, seed=0):
    """Reads a folder with one subfolder of images for every class.

    Images are resized once (bicubic, the aspect ratio is not kept) and stay in memory. For
    training they are shuffled anew and slightly moved, turned and scaled in every epoch; they
    are not flipped, which would make other digits or letters of them. The same seed gives the
    same batches.

    Args:
        directory: The folder, e.g. `"data/digits/train"`.
        image_size: `(height, width)` in pixels.
        batch_size: Images in a batch.
        training: Whether to shuffle and to augment, and to leave out an incomplete last batch,
            which would disturb batch norm.
        seed: Of shuffling and augmentation.

    Returns:
        An `ImageFolder`.

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: If it holds less than two classes, or a class without images.
    """
    directory = pathlib.Path(directory)
    class_names, count = _check(directory)
    images = keras.utils.image_dataset_from_directory(
        str(directory),
        label_mode="categorical",
        class_names=list(class_names),
        batch_size=None,
        image_size=image_size,
        interpolation="bicubic",
        shuffle=False,
        data_format="channels_last",
        verbose=False,
    )
    batches = images.cache()
    if training:
        batches = batches.shuffle(count, seed=seed)
    batches = batches.batch(batch_size, drop_remainder=training and count >= batch_size)
    if training:
        batches = batches.map(_augmentation(seed))
    return ImageFolder(batches.map(_normalise).prefetch(2), class_names, tuple(images.file_paths))


def to_arrays(batches):
    """All images and labels of a dataset in memory.

    Args:
        batches: A dataset of batches of images and one-hot labels.

    Returns:
        Two NumPy arrays: images `(n, height, width, 3)` and the classes' indices `(n,)`.
    """
    images, labels = zip(*batches.as_numpy_iterator(), strict=True)
    return np.concatenate(images), np.concatenate(labels).argmax(axis=-1)


def _check(directory):
    """The names of the classes, sorted, and the number of images."""
    if not directory.is_dir():
        raise FileNotFoundError(f"There is no folder {directory}. Check the path.")
    counts = {
        folder.name: sum(file.suffix.lower() in SUFFIXES for file in folder.rglob("*"))
        for folder in sorted(directory.iterdir())
        if folder.is_dir() and not folder.name.startswith(".")
    }
    if len(counts) < 2:
        raise ValueError(
            f"{directory} must hold a subfolder of images for each of at least two classes. "
            f"Found: {', '.join(counts) or 'none'}."
        )
    empty = [name for name, count in counts.items() if not count]
    if empty:
        raise ValueError(
            f"{directory} holds classes without images: {', '.join(empty)}. Images are files "
            f"that end in {', '.join(SUFFIXES)}."
        )
    return tuple(counts), sum(counts.values())


def _augmentation(seed):
    """Small shifts, turns and changes of scale; pixels from outside repeat the edge's."""
    layers = [
        keras.layers.RandomTranslation(0.08, 0.08, fill_mode="nearest", seed=seed),
        keras.layers.RandomRotation(0.04, fill_mode="nearest", seed=seed + 1),  # of a full turn
        keras.layers.RandomZoom(0.1, fill_mode="nearest", seed=seed + 2),
    ]

    def augment(images, labels):
        for layer in layers:
            images = layer(images, training=True)
        return images, labels

    return augment


def _normalise(images, labels):
    # Bicubic interpolation overshoots at edges; an image file holds no such values.
    images = tf.clip_by_value(images, 0.0, 255.0)
    return preprocess_input(images, data_format="channels_last"), labels
