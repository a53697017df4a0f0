"""Folders of images with a map of classes for each, as data sets of segmentation have them."""

from __future__ import annotations

import collections
import concurrent.futures
import contextlib
import dataclasses
import hashlib
import json
import os
import pathlib

import numpy as np

from keras_ghostnet import files
from keras_ghostnet.files import printable
from keras_ghostnet.training.data import image_files, label_maps, listing

# What the folders of images and of maps are called, in any case.
KINDS = {
    "images": ("images", "image", "imgs", "img", "jpegimages"),
    "maps": ("masks", "mask", "labels", "label", "annotations", "annotation", "segmentationclass"),
}
# The folders from the source's to the files, in the order in which they are looked for.
LAYOUTS = (
    ("split", "kind"),  # train/images, train/masks
    ("kind", "split"),  # ADE20K: images/training, annotations/training
    ("kind",),  # images, masks; Pascal VOC: JPEGImages, SegmentationClass, and lists
)
LISTS = pathlib.PurePath("ImageSets", "Segmentation")  # Pascal VOC's, one file a split
CLASS_LISTS = ("classes.json", "classes.txt")
VOC = (
    *("background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat"),
    *("chair", "cow", "diningtable", "dog", "horse", "motorbike", "person", "pottedplant"),
    *("sheep", "sofa", "train", "tvmonitor"),
)
WHOLE = "all"  # the split of a folder without any


@dataclasses.dataclass(frozen=True)
class _Folders:
    """Where the images of a split are, and their maps: paths relative to the source's root."""

    images: str
    maps: str


def find_folders(root: image_files.Folder) -> dict[str, _Folders]:
    """The folders of images and maps of a source, by split.

    Args:
        root: The source's folder, on a disk or a `StoredPath`.

    Returns:
        From `"train"`, `"val"` and `"test"`, or from `"all"` alone, to both folders; empty if the
        source has none of `LAYOUTS`.

    Raises:
        ValueError: If two folders could be the same.
    """
    for layout in LAYOUTS if root.is_dir() else ():
        found: dict[str, dict[str, str]] = {}
        for path in _paths(root, len(layout)):
            parts = zip(layout, path.split("/"), strict=True)
            words = {part: _word(part, name) for part, name in parts}
            if None in words.values():
                continue
            kinds = found.setdefault(words.get("split", WHOLE), {})
            other = kinds.setdefault(words["kind"], path)
            if other != path:
                raise ValueError(
                    f"{printable(root)} holds two folders that could be the {words['kind']}: "
                    f"{printable(other)} and {printable(path)}. Move one away."
                )
        pairs = {split: _Folders(**kinds) for split, kinds in found.items() if len(kinds) == 2}
        if pairs:
            return pairs
    return {}


def _paths(root, depth):
    """The folders so many levels below `root`, relative to it, with slashes."""
    paths = [*image_files.subfolders(root)]
    for _ in range(depth - 1):
        below = ((path, image_files.subfolders(root / path)) for path in paths)
        paths = [f"{path}/{name}" for path, names in below for name in names]
    return paths


def _word(part, name):
    """The split or kind that a folder's name stands for; None for none."""
    if part == "split":
        match = listing.SPLIT_FOLDER.fullmatch(name)
        return listing.WORDS[match[1].lower()] if match else None
    return next((kind for kind, words in KINDS.items() if name.lower() in words), None)


def list_maps(
    root: image_files.Folder, *, seed: int = 0, held_out: float = 0.1
) -> listing.Listing | None:
    """Lists images with their maps of classes, in one of `LAYOUTS`.

    An image and its map have the same name but for the suffix, in subfolders too. Where there are
    training images and no `val`, a fraction is held out as `"val"`. Classes are named by
    `classes.json` (a list, or a dictionary of numbers and names) or `classes.txt` (one per line)
    in the folder, or are those of Pascal VOC in its own layout. Without, they are numbers, and all
    maps are read to find how many; it is kept in the user's cache until a map changes.

    Args:
        root: The folder, on a disk or a `StoredPath`.
        seed: Decides which images are held out.
        held_out: The fraction that is held out, in (0, 1).

    Returns:
        A `Listing` of pixels; None if the folder has none of the layouts.

    Raises:
        ValueError: If no image has a map, two maps are of one image, a list names what is not
            there, or there are fewer than two classes.
    """
    folders = find_folders(root)
    if not folders:
        return None
    pairs = {}
    formats: collections.Counter[str] = collections.Counter()
    skipped: collections.Counter[str] = collections.Counter()
    for split, each in folders.items():
        pairs[split] = _pairs(root, each, formats, skipped)
    if WHOLE in pairs:
        listed = _listed(root, pairs[WHOLE])
        pairs = listed or {"train": pairs[WHOLE]}
    is_held_out = "train" in pairs and "val" not in pairs
    if is_held_out:
        pairs |= _hold_out(pairs["train"], seed, held_out)
    splits = {split: tuple(pairs[split]) for split in listing.SPLITS if split in pairs}
    return listing.Listing(
        root, _class_names(root, folders, splits), splits, is_held_out, formats, skipped, True
    )


def _pairs(root, folders, formats, skipped):
    """Pairs of an image's path and its map's, relative to `root`; counts what is left out."""
    images, maps = (image_files.list_image_files(root / f) for f in (folders.images, folders.maps))
    by_name: dict[str, str] = {}
    for path in maps.formats:
        other = by_name.setdefault(os.path.splitext(path)[0], path)
        if other != path:
            raise ValueError(
                f"{printable(root / folders.maps)} holds two maps of one image: "
                f"{printable(other)} and {printable(path)}. Move one away."
            )
    found = {path: by_name.get(os.path.splitext(path)[0]) for path in images.formats}
    without = [path for path, label_map in found.items() if label_map is None]
    extra = sorted(set(maps.formats) - set(found.values()))
    if len(without) == len(found):
        shown = [listing.list_names(list(part)[:3]) or "none" for part in (found, maps.formats)]
        raise ValueError(
            f"No image in {printable(root / folders.images)} has a map of its name in "
            f"{printable(root / folders.maps)}. Found images: {shown[0]}; maps: {shown[1]}. Give "
            "both the same name but for the suffix."
        )
    for what, paths in (("image without a map", without), ("map without an image", extra)):
        if paths:
            skipped[f"{what} ({listing.list_names(paths)})"] += len(paths)
    for _, reason in (*images.skipped, *maps.skipped):
        skipped[reason] += 1
    formats.update(images.formats[path] for path, label_map in found.items() if label_map)
    return [
        (f"{folders.images}/{path}", f"{folders.maps}/{label_map}")
        for path, label_map in found.items()
        if label_map
    ]


def _listed(root, pairs):
    """The pairs that Pascal VOC's lists name, by split; empty without lists."""
    by_name = {pathlib.PurePath(image).stem: (image, label_map) for image, label_map in pairs}
    splits = {}
    for split in listing.SPLITS:
        path = root / LISTS / f"{split}.txt"
        if not path.is_file():
            continue
        names = files.read_text(path).split()
        if missing := [name for name in names if name not in by_name]:
            raise ValueError(
                f"{printable(path)} names {len(missing)} images without an image file and a map: "
                f"{listing.list_names(missing)}. Unpack the archive again."
            )
        splits[split] = [by_name[name] for name in names]
    return splits


def _hold_out(pairs, seed, fraction):
    """A fraction of some pairs, at least one, as `"val"`, and the others as `"train"`."""
    count = min(max(1, round(len(pairs) * fraction)), len(pairs) - 1)
    chosen = set(np.random.default_rng(seed).permutation(len(pairs))[:count].tolist())
    return {
        "train": [pair for index, pair in enumerate(pairs) if index not in chosen],
        "val": [pair for index, pair in enumerate(pairs) if index in chosen],
    }


def _class_names(root, folders, splits):
    path = next((root / name for name in CLASS_LISTS if (root / name).is_file()), None)
    if path is not None:
        names = _read_class_list(path)
    elif folders.get(WHOLE) == _Folders("JPEGImages", "SegmentationClass"):
        names = VOC
    else:
        names = tuple(map(str, range(_count_classes(root, splits))))
    if not 2 <= len(names) <= label_maps.IGNORED:
        where = path or "the maps"
        raise ValueError(
            f"{printable(root)} must have maps of 2 to {label_maps.IGNORED} classes. Found in "
            f"{printable(where)}: {len(names)}."
        )
    return names


def _read_class_list(path):
    """The names of classes in the order of their numbers, a tuple."""
    text = files.read_text(path)
    if path.name.endswith(".txt"):
        return tuple(line.strip() for line in text.splitlines() if line.strip())
    try:
        content = json.loads(text)
        if isinstance(content, dict):
            numbers = sorted(map(int, content))
            if numbers != [*range(len(numbers))]:
                raise ValueError("numbers must be 0, 1, 2 and so on")
            content = [content[str(number)] for number in numbers]
        if not all(isinstance(name, str) for name in content):
            raise TypeError("names must be text")
        return tuple(content)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(
            f"{printable(path)} must be a list of the classes' names in the order of their "
            f'numbers, ["background", "road"], or {{"0": "background", "1": "road"}} ({error}).'
        ) from error


def _count_classes(root, splits):
    """One more than the largest number in all maps that can be read; they are read once."""
    paths = [label_map for pairs in splits.values() for _, label_map in pairs]
    kept = files.cache("classes") / f"{_state_hash(root, paths)}.txt"
    with contextlib.suppress(OSError, ValueError):
        count = int(kept.read_text())
        if count in range(label_maps.IGNORED + 1):
            return count

    def largest(path):
        try:
            labels = label_maps.decode_map((root / path).read_bytes())
        except (OSError, ValueError):  # a bad example, which is reported when it is trained on
            return None
        return max(np.unique(labels[labels != label_maps.IGNORED]).tolist(), default=-1)

    with concurrent.futures.ThreadPoolExecutor() as pool:
        found = list(pool.map(largest, paths))
    count = 1 + max((number for number in found if number is not None), default=-1)
    if None not in found:  # a file may be readable the next time
        with contextlib.suppress(OSError), files.replacing(kept) as partial:
            partial.write_text(str(count))
    return count


def _state_hash(root, paths):
    """What changes if one of several files does; of those in a store the size tells."""
    digest = hashlib.sha256(files.absolute(root).encode("utf-8", "surrogateescape"))
    for path in paths:
        status = (root / path).stat()
        text = f"\0{path}\0{status.st_size}\0{status.st_mtime}"
        digest.update(text.encode("utf-8", "surrogateescape"))
    return digest.hexdigest()
