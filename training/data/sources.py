"""Where labeled images come from, each source by one string."""

import dataclasses
import json
import os
import pathlib

import keras

from keras_ghostnet import extras, files, model_reference
from keras_ghostnet.training.data import cifar, digits, listing, readers, shards
from keras_ghostnet.training.data.readers import Reader

CLASSES_FILE = "classes.json"


@dataclasses.dataclass(frozen=True)
class ImageSource:
    """The examples of one split.

    Attributes:
        name: What was opened, and the split: `"photos/train"`.
        class_names: The classes in the order of the labels.
        reader: As `readers` describes them: reads example i's bytes and label.
    """

    name: str
    class_names: tuple[str, ...]
    reader: Reader

    @property
    def examples(self) -> int:
        """How many there are."""
        return len(self.reader)

    def key(self, index: int) -> str:
        """What to call an example: the path of its file, or `FILE:RECORD`."""
        return self.reader.key(index)


def open_source(
    text: str | os.PathLike, split: str, *, seed: int = 0, held_out: float = 0.1
) -> ImageSource:
    """Opens one split of a source.

    Args:
        text: A folder of images (`train/CLASS/*` and `val/CLASS/*`, or `CLASS/*`, or ImageNet
            as Kaggle lays it out); a folder of TFRecords in TensorFlow's ImageNet layout
            (`train-00000-of-00008`, with `classes.json` beside them); the folder of CIFAR-10 or
            CIFAR-100 in their binary version; `"tfds:NAME"`; or `"digits"`, the handwritten
            digits that scikit-learn carries.
        split: `"train"` or `"val"`.
        seed: Decides which images are held out, for a folder without splits of its own.
        held_out: The fraction of every class that is held out then, in (0, 1).

    Returns:
        A `ImageSource`.

    Raises:
        FileNotFoundError: If there is no such folder, or a file of CIFAR is missing.
        ImportError: If `tfds:` or `digits` need a package that is missing.
        ValueError: If the split is unknown or missing, or the folder holds none of these.
    """
    text = str(text)
    if split not in listing.SPLITS:
        raise ValueError(f"`split` must be one of {tuple(listing.SPLITS)}. Received: {split!r}.")
    if text.startswith("tfds:"):
        return _tfds(text.removeprefix("tfds:"), split)
    if text == "digits" and not pathlib.Path(text).is_dir():
        text = digits.write_digits(files.cache("digits"))
    folder = pathlib.Path(text)
    if any(folder.glob("*-of-*")):
        return _records(folder, split)
    if version := cifar.detect_version(folder):
        return _cifar(folder, version, split)
    images = listing.list_images(folder, seed=seed, held_out=held_out)
    if split not in images.splits:
        raise _missing(folder, split, images.splits)
    reader = readers.FileReader(images.root, images.splits[split])
    return ImageSource(f"{folder}/{split}", images.class_names, reader)


def require_same_classes(
    network: keras.Model,
    images: "ImageSource",
    reference: model_reference.ModelReference | None = None,
) -> None:
    """Refuses images of other classes than a classifier's.

    Args:
        network: The Keras classifier.
        images: An `ImageSource`, or anything else with a `name` and `class_names`.
        reference: What the user named as the model; if that is a run, the names of its classes
            are compared too.

    Raises:
        ValueError: If the classes differ; says how.
    """
    names = tuple(images.class_names)
    if reference and reference.recipe and reference.labels != names:
        raise ValueError(
            f"The run was trained on other classes than those of {images.name}: "
            f"{_abridged(reference.labels)}, not {_abridged(names)}."
        )
    if network.output_shape != (None, len(names)):
        raise ValueError(
            f"{network.name!r} has the output shape {network.output_shape}; {images.name} has "
            f"{len(names)} classes."
        )


def write_class_list(directory, class_names, first_label):
    """Writes the class list of a folder of TFRecords.

    Args:
        directory: The folder.
        class_names: The classes in the order of the labels.
        first_label: The first class's label in the records.
    """
    content = {"first_label": first_label, "class_names": list(class_names)}
    path = pathlib.Path(directory) / CLASSES_FILE
    path.write_text(json.dumps(content, indent=1) + "\n", "utf-8")


def read_class_list(directory):
    """Reads the class list of a folder of TFRecords.

    Returns:
        The classes' names, a tuple, and the first class's label in the records.

    Raises:
        ValueError: If there is none, or it cannot be understood.
    """
    path = pathlib.Path(directory) / CLASSES_FILE
    try:
        content = json.loads(path.read_text("utf-8"))
        return tuple(map(str, content["class_names"])), int(content["first_label"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        example = '{"first_label": 1, "class_names": ["tench", "goldfish"]}'
        raise ValueError(
            f"TFRecords need their class list in {path} ({type(error).__name__}). Write one such "
            f"as {example}, where first_label is the label of the first class in the records, "
            "0 or 1."
        ) from error


def _abridged(names):
    return f"{', '.join(names[:5])} ... ({len(names)})"


def _records(folder, split):
    class_names, first_label = read_class_list(folder)
    paths = shards.shard_paths(folder, split)
    if not paths:
        found = (name for name in listing.SPLITS if shards.shard_paths(folder, name))
        raise _missing(folder, split, found)
    reader = readers.RecordReader(paths, first_label=first_label)
    return ImageSource(f"{folder}/{split}", class_names, reader)


def _cifar(folder, version, split):
    class_names = cifar.read_class_names(folder, version)
    reader = cifar.CifarReader(folder, version, split, len(class_names))
    return ImageSource(f"{folder}/{split}", class_names, reader)


def _tfds(name, split):
    """Reads the TFRecord files that tensorflow-datasets prepared; its decoding is not used."""
    extras.require(
        "tensorflow_datasets",
        purpose="`tfds:`",
        advice="Install with: pip install tensorflow-datasets",
    )
    import tensorflow_datasets as tfds

    builder = tfds.builder(name)
    if not {"image", "label"} <= set(builder.info.features):
        raise ValueError(
            f"tfds:{name} must have the features image and label, as the data sets of image "
            f"classification have. Found: {', '.join(builder.info.features)}."
        )
    builder.download_and_prepare()
    names = {"train": ("train",), "val": ("validation", "test")}[split]
    found = next((each for each in names if each in builder.info.splits), None)
    if found is None:
        raise _missing(f"tfds:{name}", split, builder.info.splits)
    paths = tuple(map(str, builder.info.splits[found].filepaths))
    if not all(".tfrecord" in path for path in paths):
        raise ValueError(
            f"tfds:{name} is prepared in another format than TFRecord. Prepare it with "
            "file_format='tfrecord'."
        )
    reader = readers.RecordReader(paths, "image", "label")
    return ImageSource(f"tfds:{name}/{split}", tuple(builder.info.features["label"].names), reader)


def _missing(what, split, found):
    return ValueError(f"{what} has no split {split!r}. Found: {', '.join(found) or 'none'}.")
