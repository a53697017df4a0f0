"""Where labeled images come from, each source by one string."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import pathlib
from collections.abc import Iterable, Sequence

import keras
import numpy as np
from rich.console import Console

from keras_ghostnet import extras, files, model_reference, stores
from keras_ghostnet.files import printable
from keras_ghostnet.training.data import (
    cifar,
    digits,
    image_files,
    listing,
    manifest,
    map_folders,
    readers,
    shards,
    stored_listing,
    stored_readers,
)
from keras_ghostnet.training.data.outputs import Output
from keras_ghostnet.training.data.readers import Reader
from keras_ghostnet.training.data.stored_folder import StoredPath
from keras_ghostnet.training.heads import count_classes, is_of_pixels, require_maps_of_images

TFDS_LABELS = "label.labels.txt"  # beside the TFRecords of tensorflow-datasets, one name a line
EVERY = "all"  # the split of all examples
TFDS_SPLITS = {"train": ("train",), "val": ("validation", "test"), "test": ("test",)}


@dataclasses.dataclass(frozen=True)
class ImageSource:
    """The examples of one split.

    Attributes:
        name: What was opened, and the split: `"photos/train"`.
        class_names: The classes in the order of the labels.
        reader: As `readers` describes them: reads example i's bytes and label.
        description: What was found there in all splits, and what was left out, in a line.
        is_held_out: Whether the validation images are a fraction of the training images, as
            the source has no split of its own for them.
        of_pixels: Whether the label of an example is a map, a class for every pixel.
    """

    name: str
    class_names: tuple[str, ...]
    reader: Reader
    description: str = ""
    is_held_out: bool = False
    of_pixels: bool = False

    @property
    def examples(self) -> int:
        """How many there are."""
        return len(self.reader)

    @property
    def fingerprint(self) -> str:
        """A hash of the classes and of the examples' names and classes, wherever they lie."""
        digest = hashlib.sha256(json.dumps(self.class_names).encode())
        for part in self.reader.identity():
            digest.update(part + b"\0")
        return digest.hexdigest()

    def key(self, index: int) -> str:
        """What to call an example: the path of its file, or `FILE:RECORD`."""
        return self.reader.key(index)


def open_source(
    text: str | os.PathLike[str],
    split: str | None,
    *,
    seed: int = 0,
    held_out: float = 0.1,
    console: Console | None = None,
) -> ImageSource:
    """Opens one split of a source.

    Args:
        text: A folder of images (`train/CLASS/*`, `val/CLASS/*` and `test/CLASS/*`, or
            `CLASS/*`, or ImageNet as Kaggle lays it out); a folder of images and maps of classes,
            as `map_folders.list_maps` finds them (`train/images/*`, `train/masks/*`, ...); a
            folder of TFRecords, e.g. in
            TensorFlow's ImageNet layout (`train-00000-of-00008`), with `classes.json` beside
            them; the folder of CIFAR-10 or CIFAR-100 in their binary version; any of these
            folders in an object store, e.g. `"s3://BUCKET/photos"`; `"tfds:NAME"`; or
            `"digits"`, the handwritten digits that scikit-learn carries.
        split: `"train"`, `"val"`, `"test"` or `"all"`. None takes `"val"` if the source has one of
            its own, else all.
        seed: Decides which images are held out, for a folder without a `val` of its own.
        held_out: The fraction of every class that is held out then, in (0, 1).
        console: Where to show progress, if a folder in a store is listed; None prints nothing.

    Returns:
        A `ImageSource`.

    Raises:
        FileNotFoundError: If there is no such folder, or a file of CIFAR is missing.
        ImportError: If `tfds:`, `digits` or a store need a package that is missing.
        OSError: If a folder cannot be read, or a store refuses or does not answer.
        ValueError: If the split is unknown or missing, or the folder holds none of these.
    """
    (source,) = open_sources(text, (split,), seed=seed, held_out=held_out, console=console)
    return source


def open_sources(
    text: str | os.PathLike[str],
    splits: Sequence[str | None],
    *,
    seed: int = 0,
    held_out: float = 0.1,
    console: Console | None = None,
) -> list[ImageSource]:
    """Opens several splits of a source, whose files are listed once; else as `open_source`."""
    extras.require("PIL", purpose="Reading images", extra="train")
    text = os.fspath(text)
    for split in splits:
        if split not in (None, *listing.SPLITS, EVERY):
            known = ", ".join((*listing.SPLITS, EVERY))
            raise ValueError(f"`split` must be one of {known}. Received: {split!r}.")
    named = [split or "val" for split in splits]
    if text.startswith("tfds:"):
        return [_tfds(text.removeprefix("tfds:"), split) for split in named]
    if text == "digits" and not pathlib.Path(text).is_dir():
        text = digits.write_digits(files.cache("digits"))
    folder = open_folder(text, console)
    if found := shards.find_records(folder):
        return [_records(folder, found, split, console) for split in named]
    if folder.is_dir() and (version := cifar.detect_version(folder)):
        return [_cifar(folder, version, split) for split in named]
    images = map_folders.list_maps(folder, seed=seed, held_out=held_out)
    images = images or listing.list_images(folder, seed=seed, held_out=held_out)
    return [
        _folder(folder, images, split or (EVERY if images.is_held_out else "val"))
        for split in splits
    ]


def open_folder(text: str | os.PathLike[str], console: Console | None) -> image_files.Folder:
    """A folder of a disk, which need not be there, or of a store, as `stored_listing` opens it."""
    if isinstance(text, str) and stores.is_remote(text):
        return stored_listing.open_folder(text, console)
    return pathlib.Path(text).expanduser()


def _folder(folder, images, split):
    examples = _select(folder, images.splits, split)
    is_stored = isinstance(folder, StoredPath)
    new_reader = stored_readers.StoredFileReader if is_stored else readers.FileReader
    if images.of_pixels:
        parts = ([(path, 0) for path in paths] for paths in zip(*examples, strict=True))
        reader = readers.MapReader(*(new_reader(images.root, part) for part in parts))
    else:
        reader = new_reader(images.root, examples)
    name, description = f"{printable(folder)}/{split}", images.describe()
    if is_stored and folder.tree.note:
        description += f"; {folder.tree.note}"
    return ImageSource(
        name, images.class_names, reader, description, images.is_held_out, images.of_pixels
    )


def _select(what, splits, split):
    """What a source has of one split, or of all of them."""
    chosen = splits.values() if split == EVERY else [splits.get(split, ())]
    joined = tuple(item for items in chosen for item in items)
    if not joined:
        raise ValueError(
            f"{printable(what)} has no split {split!r}. Found: {', '.join(splits) or 'none'}."
        )
    return joined


def require_labels(images: ImageSource, of_pixels: bool) -> None:
    """Refuses maps where every image is to have a class, and classes where it is to have a map.

    Args:
        images: An `ImageSource`.
        of_pixels: Whether maps are wanted, the task is segmentation.

    Raises:
        ValueError: If the source has the other kind.
    """
    if images.of_pixels == of_pixels:
        return
    if of_pixels:
        raise ValueError(
            f"{images.name} has one class an image, and task=segmentation needs a map of classes "
            "for every image. Take another recipe, or a folder of images and masks."
        )
    raise ValueError(
        f"{images.name} has a map of classes for every image, and task=classification needs one "
        "class an image. Take the recipe `segmentation`, or set task=segmentation."
    )


def require_same_classes(
    network: keras.Model,
    images: ImageSource,
    reference: model_reference.ModelReference | None = None,
) -> None:
    """Refuses images of other classes than a classifier's, or of pixels where it is of images.

    Args:
        network: The Keras classifier.
        images: An `ImageSource`, or anything else with a `name`, `class_names` and `of_pixels`.
        reference: What the user named as the model; if that is a run, the names of its classes
            are compared too.

    Raises:
        ValueError: If the classes differ, or maps are not as large as images; says how.
    """
    names = tuple(images.class_names)
    if reference and reference.recipe and reference.labels != names:
        raise ValueError(
            f"The run was trained on other classes than those of {images.name}: "
            f"{_abridged(reference.labels)}, not {_abridged(names)}."
        )
    of_pixels = is_of_pixels(network)
    if of_pixels != images.of_pixels:
        kinds = "one class an image", "maps of classes"
        raise ValueError(
            f"{network.name!r} has the output shape {network.output_shape}: it outputs "
            f"{kinds[of_pixels]}. {images.name} has {kinds[images.of_pixels]}."
        )
    if len(network.output_shape) not in (2, 4) or count_classes(network) != len(names):
        raise ValueError(
            f"{network.name!r} has the output shape {network.output_shape}; {images.name} has "
            f"{len(names)} classes."
        )
    require_maps_of_images(network)


def write_class_list(output: Output, class_names: Iterable[str], first_label: int) -> None:
    """Writes the class list of a folder of TFRecords.

    Args:
        output: Of `outputs.open_output`.
        class_names: The classes in the order of the labels.
        first_label: The first class's label in the records.
    """
    content = {"first_label": first_label, "class_names": list(class_names)}
    output.write(manifest.CLASSES, (json.dumps(content, indent=1) + "\n").encode())


def read_class_list(directory: pathlib.Path | StoredPath) -> tuple[tuple[str, ...], int]:
    """Reads the class list of a folder of TFRecords.

    Args:
        directory: A `pathlib.Path` or a `StoredPath`.

    Returns:
        The classes' names, a tuple, and the first class's label in the records.

    Raises:
        ValueError: If there is none, or it cannot be understood.
    """
    path, labels = directory / manifest.CLASSES, directory / TFDS_LABELS
    if labels.is_file() and not path.exists():
        return tuple(files.read_text(labels).splitlines()), 0
    try:
        content = json.loads(files.read_text(path))
        first_label = int(content["first_label"])
        if not 0 <= first_label < 2**31:
            raise ValueError
        return tuple(map(str, content["class_names"])), first_label
    except (OSError, ValueError, KeyError, TypeError, OverflowError) as error:
        example = '{"first_label": 1, "class_names": ["tench", "goldfish"]}'
        raise ValueError(
            f"TFRecords need their class list in {path} ({type(error).__name__}). Write one such "
            f"as {example}, where first_label is the label of the first class in the records, "
            "0 or 1."
        ) from error


def _abridged(names):
    return f"{', '.join(names[:5])} ... ({len(names)})"


def _records(folder, found, split, console):
    class_names, first_label = read_class_list(folder)
    paths = _select(folder, found, split)
    if isinstance(folder, StoredPath):
        reader = stored_readers.StoredRecordReader(paths, console=console, first_label=first_label)
    else:
        reader = readers.RecordReader(paths, first_label=first_label)
    examples = dict(zip(paths, np.bincount(reader.shard, minlength=len(paths)), strict=True))
    for each in found.values():
        if chosen := [path for path in each if path in examples]:
            manifest.require_as_recorded(chosen, [examples[path] for path in chosen])
    counts = ", ".join(f"{each} in {len(paths)} files" for each, paths in found.items())
    description = f"{len(class_names)} classes in TFRecords in {printable(folder)} ({counts})"
    return ImageSource(f"{printable(folder)}/{split}", class_names, reader, description)


def _cifar(folder, version, split):
    class_names = cifar.read_class_names(folder, version)
    # Its authors' test images are what everybody validates on.
    chosen = _select(folder, version.files, "val" if split == "test" else split)
    reader = cifar.CifarReader(folder, version, chosen, len(class_names))
    description = f"{version.title} in {folder}"
    return ImageSource(f"{folder}/{split}", class_names, reader, description)


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
    splits = {
        ours: tuple(map(str, builder.info.splits[theirs].filepaths))
        for ours, names in TFDS_SPLITS.items()
        for theirs in [name for name in names if name in builder.info.splits][:1]
    }
    if split == EVERY and splits.get("val") == splits.get("test"):
        splits.pop("test", None)
    paths = _select(f"tfds:{name}", splits, split)
    if not all(".tfrecord" in path for path in paths):
        raise ValueError(
            f"tfds:{name} is prepared in another format than TFRecord. Prepare it with "
            "file_format='tfrecord'."
        )
    class_names = tuple(builder.info.features["label"].names)
    description = f"{len(class_names)} classes in tfds:{name}"
    reader = readers.RecordReader(paths, "image", "label")
    return ImageSource(f"tfds:{name}/{split}", class_names, reader, description)
