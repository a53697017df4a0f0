"""Which images a folder holds, of which class and split: image folders and Kaggle's ImageNet."""

import csv
import dataclasses
import os
import pathlib

import numpy as np

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".webp")
SPLITS = {"train": ("train",), "val": ("val", "validation")}  # with the folders' usual names
KAGGLE_IMAGES = pathlib.PurePath("ILSVRC", "Data", "CLS-LOC")
KAGGLE_CLASSES = "LOC_synset_mapping.txt"
KAGGLE_VALIDATION = "LOC_val_solution.csv"


@dataclasses.dataclass(frozen=True)
class Listing:
    """The images of a folder.

    Attributes:
        root: The folder.
        class_names: The classes in the order of the labels.
        splits: From a split's name, `"train"` or `"val"`, to its images: a tuple of pairs
            `(path relative to root with slashes, label from 0)`, sorted.
    """

    root: pathlib.Path
    class_names: tuple
    splits: dict


def list_images(directory, *, seed=0, held_out=0.1):
    """Lists the images of an image folder or of ImageNet as Kaggle lays it out.

    An image folder has `train/CLASS/*` and, maybe, `val/CLASS/*`; or it has the classes'
    folders themselves, and then a part of every class is held out as `"val"`. What a file
    holds is not looked at.

    Args:
        directory: The folder.
        seed: Decides which images are held out, if the folder has no splits of its own.
        held_out: The fraction of every class that is held out then, in (0, 1).

    Returns:
        A `Listing`.

    Raises:
        FileNotFoundError: If there is no such folder, or a list of Kaggle's is missing.
        ValueError: If it holds less than two classes, a class without images, a class in
            `val` that `train` lacks, or if `held_out` is out of range.
    """
    root = pathlib.Path(directory)
    if not root.is_dir():
        raise FileNotFoundError(f"There is no folder {root}. Check the path.")
    if not 0 < held_out < 1:
        raise ValueError(f"`held_out` must be between 0 and 1. Received: held_out={held_out}.")
    if (root / KAGGLE_IMAGES).is_dir():
        return _kaggle(root)
    folders = {
        split: next((root / name for name in names if (root / name).is_dir()), None)
        for split, names in SPLITS.items()
    }
    if not (folders["train"] and _subfolders(folders["train"])):
        class_names, images = _classes(root, root)
        return Listing(root, class_names, _hold_out(images, len(class_names), seed, held_out))
    class_names, train = _classes(folders["train"], root)
    splits = {"train": train}
    if folders["val"]:
        splits["val"] = _classes(folders["val"], root, class_names)[1]
    return Listing(root, class_names, splits)


def _subfolders(folder):
    return sorted(
        entry.name
        for entry in os.scandir(folder)
        if entry.is_dir() and not entry.name.startswith(".")
    )


def _files(folder, root):
    """The images below a folder, as paths relative to `root`, sorted."""
    prefix = len(str(root)) + 1
    return sorted(
        os.path.join(parent, name)[prefix:].replace(os.sep, "/")
        for parent, _, names in os.walk(folder)
        for name in names
        if name.lower().endswith(SUFFIXES) and not name.startswith(".")
    )


def _classes(folder, root, known=None):
    """Class names and images of a folder with one subfolder for every class."""
    names = _subfolders(folder)
    if known is None and len(names) < 2:
        raise ValueError(
            f"{folder} must hold a subfolder of images for each of at least two classes. "
            f"Found: {', '.join(names) or 'none'}."
        )
    class_names = tuple(names) if known is None else known
    if strangers := [name for name in names if name not in set(class_names)]:
        raise ValueError(
            f"{folder} holds classes that the training images lack: {', '.join(strangers)}."
        )
    found = {name: _files(folder / name, root) for name in names}
    if empty := [name for name, files in found.items() if not files]:
        raise ValueError(
            f"{folder} holds classes without images: {', '.join(empty)}. Images are files that "
            f"end in {', '.join(SUFFIXES)}."
        )
    labels = {name: label for label, name in enumerate(class_names)}
    return class_names, tuple((path, labels[name]) for name in names for path in found[name])


def _hold_out(images, classes, seed, part):
    """Splits images so that of every class the same part, one image at least, is held out."""
    by_class = [[] for _ in range(classes)]
    for path, label in images:
        by_class[label].append(path)
    splits = {"train": [], "val": []}
    for label, paths in enumerate(by_class):
        # Keyed by the class too: another class beside it does not change what is held out.
        order = np.random.default_rng((seed, label)).permutation(len(paths))
        count = min(max(1, round(len(paths) * part)), len(paths) - 1)
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
    lines = (root / KAGGLE_CLASSES).read_text("utf-8").splitlines()
    class_names = tuple(line.split()[0] for line in lines if line.strip())
    _, train = _classes(root / KAGGLE_IMAGES / "train", root, class_names)
    labels = {name: label for label, name in enumerate(class_names)}
    with (root / KAGGLE_VALIDATION).open(newline="") as file:
        answers = {row["ImageId"]: row["PredictionString"] for row in csv.DictReader(file)}
    val = []
    for path in _files(root / KAGGLE_IMAGES / "val", root):
        answer = answers.get(pathlib.PurePath(path).stem, "").split()
        if not answer or answer[0] not in labels:
            raise ValueError(
                f"{KAGGLE_VALIDATION} names no known class for {path}: found "
                f"{answer[0] if answer else 'no line'}."
            )
        val.append((path, labels[answer[0]]))
    return Listing(root, class_names, {"train": train, "val": tuple(val)})
