"""Which images a folder holds, of which class and split: image folders and Kaggle's ImageNet."""

from __future__ import annotations

import collections
import csv
import dataclasses
import os
import pathlib
import re
import unicodedata
from collections.abc import Iterable

import numpy as np

from keras_ghostnet import files
from keras_ghostnet.files import printable
from keras_ghostnet.training.data import image_files
from keras_ghostnet.training.data.stored_folder import StoredPath

# What the folders of splits are called, in any case, also as `train_set` or `test-images`.
SPLITS = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation", "dev", "eval", "evaluation"),
    "test": ("test", "testing"),
}
WORDS = {word: split for split, words in SPLITS.items() for word in words}
SPLIT_FOLDER = re.compile(
    rf"({'|'.join(WORDS)})(?:[ _-]?(?:set|split|data|images))?", re.IGNORECASE
)
KAGGLE_IMAGES = pathlib.PurePath("ILSVRC", "Data", "CLS-LOC")
KAGGLE_CLASSES = "LOC_synset_mapping.txt"
KAGGLE_VALIDATION = "LOC_val_solution.csv"
SHOWN = 8  # names that a message lists at most

Examples = tuple[tuple[str, int | str], ...]


@dataclasses.dataclass(frozen=True)
class Listing:
    """The images of a folder.

    Attributes:
        root: The folder, on a disk or in a store.
        class_names: The classes in the order of the labels, in Unicode's composed form (NFC).
        splits: From a split's name, `"train"`, `"val"` or `"test"`, to its images: a tuple of
            pairs `(path relative to root with slashes, label from 0)`, sorted; in place of the
            label there is the path of a map, likewise, if `of_pixels`.
        is_held_out: Whether `"val"` was taken from the training images, as the folder has none.
        formats: How many images there are of each format, by Pillow's name.
        skipped: How many files and folders were left out, by suffix or another reason.
        of_pixels: Whether an image has a class for every pixel, in a map, and not one of its own.
    """

    root: image_files.Folder
    class_names: tuple[str, ...]
    splits: dict[str, Examples]
    is_held_out: bool
    formats: collections.Counter[str]
    skipped: collections.Counter[str]
    of_pixels: bool = False

    def describe(self) -> str:
        """What was found and what was left out, in a line."""
        counts = {split: len(images) for split, images in self.splits.items()}
        kind = "" if len(self.formats) > 1 else "".join(f"{name} " for name in self.formats)
        maps = "with maps " if self.of_pixels else ""
        text = (
            f"{sum(counts.values()):,} {kind}images {maps}of {len(self.class_names)} classes in "
            f"{self.root}"
        )
        held_out = " held out of the former" if self.is_held_out else ""
        parts = [
            ", ".join(
                f"{count:,} {split}{held_out if split == 'val' else ''}"
                for split, count in counts.items()
            )
        ]
        if not kind:
            parts.append(_counts(self.formats))
        if self.skipped:
            parts.append(f"skipped: {_counts(self.skipped)}")
        return f"{printable(text)} ({printable('; '.join(parts))})"


def list_images(
    directory: str | os.PathLike[str], *, seed: int = 0, held_out: float = 0.1
) -> Listing:
    """Lists the images of an image folder or of ImageNet as Kaggle lays it out.

    An image folder has `train/CLASS/*` and maybe `val/CLASS/*` and `test/CLASS/*`, under any of
    the usual names; or it has the classes' folders themselves. Where there are training images
    and no `val`, a fraction of every class is held out as `"val"`. Images are detected by
    `image_files.list_image_files`.

    Args:
        directory: The folder, on a disk or a `StoredPath`.
        seed: Decides which images are held out.
        held_out: The fraction of every class that is held out, in (0, 1).

    Returns:
        A `Listing`.

    Raises:
        FileNotFoundError: If there is no such folder, or a list of Kaggle's is missing.
        NotADirectoryError: If it is a file.
        ValueError: If it holds fewer than two classes, a class without images, a class in
            another split that `train` lacks, folders that could be splits or classes, a class
            whose name is no text, or if `held_out` is out of range.
    """
    root = directory if isinstance(directory, StoredPath) else pathlib.Path(directory)
    if not root.is_dir():
        if root.exists():
            raise NotADirectoryError(f"{root} is a file; a folder is expected. Unpack it first.")
        raise FileNotFoundError(f"There is no folder {printable(root)}. Check the path.")
    if not 0 < held_out < 1:
        raise ValueError(f"`held_out` must be between 0 and 1. Received: held_out={held_out}.")
    if (root / KAGGLE_IMAGES).is_dir():
        return _kaggle(root)
    folders = _split_folders(root)
    found = {split: _classes(root, name) for split, name in folders.items()}
    if not found:
        found = {"train": _classes(root)}
        _refuse_splits(root, found["train"].images)
    class_names = tuple(next(iter(found.values())).images)
    if len(class_names) < 2:
        raise ValueError(
            f"{printable(root)} must hold a subfolder of images for each of at least two classes. "
            f"Found: {list_names(class_names) or 'none'}."
        )
    skipped: collections.Counter[str] = sum(
        (classes.skipped for classes in found.values()), collections.Counter()
    )
    for name in set(image_files.subfolders(root)) - set(folders.values()) if folders else ():
        skipped[f"folder {name}, which is no split"] += 1
    if "test" in found and not found["test"].images.keys() <= set(class_names):
        del found["test"]  # often images without classes, which training can do without
        skipped[f"folder {folders['test']} of other classes"] += 1
    splits = {split: classes.examples(class_names) for split, classes in found.items()}
    is_held_out = "train" in splits and "val" not in splits
    if is_held_out:
        splits |= _hold_out(splits["train"], len(class_names), seed, held_out)
    return Listing(
        root,
        class_names,
        {split: splits[split] for split in SPLITS if split in splits},
        is_held_out,
        sum((classes.formats for classes in found.values()), collections.Counter()),
        skipped,
    )


@dataclasses.dataclass(frozen=True)
class _Classes:
    """The images of a folder with one subfolder for every class.

    Attributes:
        folder: The folder.
        images: From a class's name to its images' paths, relative to the source's root.
        formats: How many there are of each format.
        skipped: How many files and folders were left out, by the reason.
        reasons: Likewise, of every class.
    """

    folder: image_files.Folder
    images: dict[str, list[str]]
    formats: collections.Counter[str]
    skipped: collections.Counter[str]
    reasons: dict[str, collections.Counter[str]]

    def examples(self, class_names):
        """Pairs of a path and a label, the classes being counted as they are in the training."""
        labels = {name: label for label, name in enumerate(class_names)}
        if strangers := [name for name in self.images if name not in labels]:
            raise ValueError(
                f"{printable(self.folder)} holds classes that the training images lack: "
                f"{list_names(strangers)}. Known: {list_names(class_names)}."
            )
        if empty := [name for name, paths in self.images.items() if not paths]:
            raise ValueError(
                f"{printable(self.folder)} holds classes without images: {list_names(empty)}. "
                f"Found in {empty[0]}: {_counts(self.reasons[empty[0]]) or 'nothing'}."
            )
        return tuple((path, labels[name]) for name, paths in self.images.items() for path in paths)


def _classes(root, name=""):
    """The `_Classes` of `root/name`."""
    folder, prefix = root / name, f"{name}/" if name else ""
    found = image_files.list_image_files(folder)
    names = {each: _class_name(folder, each) for each in image_files.subfolders(folder)}
    images = {class_name: [] for class_name in sorted(names.values())}
    if len(images) < len(names):
        twice = next(
            name for name, count in collections.Counter(names.values()).items() if count > 1
        )
        raise ValueError(
            f"{printable(folder)} holds two folders {twice}, which differ only in how accents are "
            "written in Unicode. Put their images in one."
        )
    formats, skipped = collections.Counter(), collections.Counter()
    for path, format_name in found.formats.items():
        subfolder, slash, _ = path.partition("/")
        if slash:
            images[names[subfolder]].append(prefix + path)
            formats[format_name] += 1
        else:
            skipped["image outside of the classes' folders"] += 1
    reasons = {class_name: collections.Counter() for class_name in images}
    for path, reason in found.skipped:
        skipped[reason] += 1
        subfolder = path.partition("/")[0]
        if subfolder in names:
            reasons[names[subfolder]][reason] += 1
    for class_name, counts in reasons.items():
        if not images[class_name] and counts.keys() & set(image_files.PRODUCTS.values()):
            del images[class_name]  # no class, but what this package wrote
    return _Classes(folder, images, formats, skipped, reasons)


def _class_name(folder, subfolder):
    """The name of a class by its folder's: composed, as systems differ in how they write accents.

    Raises:
        ValueError: If it is no text.
    """
    try:
        subfolder.encode()
    except UnicodeEncodeError as error:
        raise ValueError(
            f"The name of the folder {printable(folder / subfolder)} is not UTF-8. Rename it."
        ) from error
    return unicodedata.normalize("NFC", subfolder)


def _split_folders(root):
    """From a split's name to its folder's; empty if the folders of `root` are classes."""
    found, names = {}, image_files.subfolders(root)
    for name in names:
        match = SPLIT_FOLDER.fullmatch(name)
        if not match or not image_files.subfolders(root / name):
            continue  # what holds images themselves is a class, whatever its name
        split = WORDS[match[1].lower()]
        if split in found:
            raise ValueError(
                f"{printable(root)} holds two folders for the split {split!r}: {found[split]} and "
                f"{name}. Move one away."
            )
        found[split] = name
    if "train" not in found and len(found) < len(names):
        return {}
    return {split: found[split] for split in SPLITS if split in found}


def _refuse_splits(root, images):
    """Refuses folders that hold the same subfolders, and nothing else: splits, not classes."""
    inner = [
        {pathlib.PurePath(path).parts[1:-1][:1] for path in paths} for paths in images.values()
    ]
    shared = set.intersection(*inner) if inner else set()
    if len(images) > 1 and len(shared) > 1 and not any(() in folders for folders in inner):
        raise ValueError(
            f"{printable(root)} holds {list_names(images)}, which all hold the same subfolders: "
            f"{list_names(sorted(folder for (folder,) in shared))}. If those are the classes, name "
            f"the splits train, val and test; if not, put the images of a class in one folder."
        )


def list_names(names: Iterable[str]) -> str:
    """Some names for a message."""
    names = [printable(name) for name in names]
    rest = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + rest


def _counts(counter):
    return ", ".join(f"{count:,} {name}" for name, count in counter.most_common())


def _hold_out(images, classes, seed, fraction):
    """Splits images so that of every class the same fraction, at least one, is held out."""
    by_class = [[] for _ in range(classes)]
    for path, label in images:
        by_class[label].append(path)
    splits = {"train": [], "val": []}
    for label, paths in enumerate(by_class):
        # Keyed by the class too: another class beside it does not change what is held out.
        order = np.random.default_rng((seed, label)).permutation(len(paths))
        count = min(max(1, round(len(paths) * fraction)), len(paths) - 1)
        for split, chosen in (("val", order[:count]), ("train", order[count:])):
            splits[split].extend((paths[i], label) for i in sorted(chosen))
    return {split: tuple(chosen) for split, chosen in splits.items()}


def _kaggle(root):
    """ImageNet's training images by folder, its validation images by Kaggle's list."""
    for name in (KAGGLE_CLASSES, KAGGLE_VALIDATION):
        if not (root / name).is_file():
            raise FileNotFoundError(
                f"{root} looks like ImageNet from Kaggle, but {name} is missing. Unpack it there."
            )
    lines = files.read_text(root / KAGGLE_CLASSES).splitlines()
    class_names = tuple(line.split()[0] for line in lines if line.strip())
    train = _classes(root, (KAGGLE_IMAGES / "train").as_posix())
    labels = {name: label for label, name in enumerate(class_names)}
    rows = csv.DictReader(files.read_text(root / KAGGLE_VALIDATION).splitlines())
    answers = {row["ImageId"]: row["PredictionString"] for row in rows}
    folder = KAGGLE_IMAGES / "val"
    held_out = image_files.list_image_files(root / folder)
    val = []
    for path in held_out.formats:
        answer = answers.get(pathlib.PurePath(path).stem, "").split()
        if not answer or answer[0] not in labels:
            raise ValueError(
                f"{KAGGLE_VALIDATION} names no known class for {folder / path}: found "
                f"{answer[0] if answer else 'no line'}."
            )
        val.append(((folder / path).as_posix(), labels[answer[0]]))
    return Listing(
        root,
        class_names,
        {"train": train.examples(class_names), "val": tuple(val)},
        False,
        train.formats + collections.Counter(held_out.formats.values()),
        train.skipped + collections.Counter(reason for _, reason in held_out.skipped),
    )
