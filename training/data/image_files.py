"""Which files below a folder are images: by their contents, whatever they are called."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import re
from collections.abc import Iterator

from keras_ghostnet.training.data import image_formats
from keras_ghostnet.training.data.stored_folder import StoredPath

# What systems and tools leave beside images, in any case; hidden files are ignored as well.
CLUTTER = frozenset(
    ("thumbs.db", "ehthumbs.db", "desktop.ini", "__macosx", "@eadir", "$recycle.bin")
    + ("system volume information", "lost+found", "__pycache__")
)
MAX_BYTES = 1 << 29  # of a file; a link to a sparse one would fill the memory
# Folders that this package wrote hold pictures of their own. The name of one entry identifies each.
PRODUCTS = {
    "run": "folder of a run",
    "model": "folder of a model",
    "records": "folder of TFRecords",
}
PRODUCT = re.compile(
    r"(?P<run>checkpoints|tensorboard|(?:bad_examples|not_finite)\.csv"
    r"|(?:learning_curve|training_batch|predictions)\.png)"
    r"|(?P<model>saved_model\.pb|.*\.(?:keras|tflite|onnx|weights\.h5))"
    r"|(?P<records>.*(?:-\d{5,}-of-\d{5,}(?:\.\w+)?|\.tfrec(?:ords?)?))",
    re.DOTALL,
)

# Of a local disk, or of a store.
Folder = pathlib.Path | StoredPath
Entry = os.DirEntry[str] | StoredPath


@dataclasses.dataclass(frozen=True)
class ImageFiles:
    """The images below a folder, and what is no image there.

    Attributes:
        formats: The format of each, by Pillow's name and as far as its name or first bytes show,
            by its path: relative to the folder, with slashes, sorted.
        skipped: Pairs of the path of a file or folder that is left out, and the reason: a
            file's suffix, or more. Hidden files and clutter are not among them.
    """

    formats: dict[str, str]
    skipped: tuple[tuple[str, str], ...]


def list_image_files(folder: Folder) -> ImageFiles:
    """Lists the images below a folder, of any depth.

    Files with the usual suffix of an image are taken as they are; of all others the first bytes
    decide. Links to folders are followed, but no folder is entered twice, nor is one that holds
    `folder`. Folders below it that hold a run, a model or TFRecords are left out.

    Args:
        folder: The folder.

    Returns:
        `ImageFiles`.

    Raises:
        ImportError: If Pillow is missing, and whether it can read a file matters.
        OSError: If a folder cannot be read.
    """
    formats: dict[str, str] = {}
    skipped: list[tuple[str, str]] = []
    for path, entry in _walk(folder):
        format_name, reason = (None, entry) if isinstance(entry, str) else _examine(entry)
        if format_name:
            formats[path] = format_name
        else:
            skipped.append((path, reason))
    return ImageFiles(dict(sorted(formats.items())), tuple(skipped))


def subfolders(folder: Folder) -> list[str]:
    """The names of a folder's folders, sorted, but for hidden ones and clutter."""
    return [entry.name for entry in _scan(folder) if entry.is_dir()]


def _scan(folder: Folder | Entry) -> list[Entry]:
    """What a folder holds, sorted by name, but for hidden files and clutter."""
    entries: list[Entry]
    if isinstance(folder, StoredPath):
        entries = [*folder.iterdir()]
    else:
        with os.scandir(folder) as scan:
            entries = [*scan]
    return sorted(
        (entry for entry in entries if not is_ignored(entry.name)), key=lambda entry: entry.name
    )


def is_ignored(name: str) -> bool:
    """Whether a file or folder of this name is hidden, or clutter."""
    return name.startswith(".") or name.lower() in CLUTTER


def _walk(folder: Folder) -> Iterator[tuple[str, Entry | str]]:
    """Pairs of a relative path and a file's entry, or the reason why a folder is left out."""
    folders: list[tuple[str, Folder | Entry]] = [("", folder)]
    links: list[tuple[str, Folder | Entry]] = []
    above = [] if isinstance(folder, StoredPath) else folder.resolve().parents
    entered = {_identity(parent) for parent in above}
    while folders or links:
        # Links last: where a folder is also linked to, its own place counts.
        path, location = folders.pop() if folders else links.pop(0)
        if (identity := _identity(location)) in entered:
            yield path, "link to a folder that is read already"
            continue
        entered.add(identity)
        entries = _scan(location)
        if path and (product := _product(entries)):
            yield path, product
            continue
        for entry in entries:
            inner = f"{path}/{entry.name}" if path else entry.name
            if entry.is_dir():
                (links if entry.is_symlink() else folders).append((inner, entry))
            else:
                yield inner, entry


def _identity(path: Folder | Entry) -> object:
    if isinstance(path, StoredPath):
        return path.relative
    status = os.stat(path)
    return status.st_dev, status.st_ino


def _product(entries: list[Entry]) -> str | None:
    """What a folder of these entries is, if it is one that this package wrote."""
    marks = filter(None, (PRODUCT.fullmatch(entry.name) for entry in entries))
    return next((PRODUCTS[mark.lastgroup or ""] for mark in marks), None)


def is_named(name: str) -> bool:
    """Whether a file's name alone shows whether it is an image, and of which format."""
    suffix = os.path.splitext(name)[1].lower()
    return suffix in image_formats.SUFFIXES or bool(image_formats.CAMERA_RAW.fullmatch(suffix))


def _examine(entry: Entry) -> tuple[str | None, str]:
    """The format of an image, or None and the reason why a file is none that can be read."""
    suffix = os.path.splitext(entry.name)[1].lower()
    called = suffix or "without suffix"
    if entry.is_file():
        if entry.stat().st_size > MAX_BYTES:
            return None, f"{called} (more than {MAX_BYTES >> 20} MiB)"
    elif os.path.exists(entry) or not entry.is_symlink():
        return None, "no regular file"  # to read a pipe would wait for ever
    if suffix in image_formats.SUFFIXES:  # of a broken link, too: it is reported when it is read
        return image_formats.SUFFIXES[suffix], ""
    if image_formats.CAMERA_RAW.fullmatch(suffix):
        return None, f"{called} (camera raw)"
    try:
        found = image_formats.recognize(_head(entry))
    except OSError as error:
        return None, f"{called} ({error.strerror or error})"
    if found is None:
        return None, called
    if found.name not in image_formats.readable_formats():
        return None, f"{called} (install {found.package})"
    return found.name, ""


def _head(entry: Entry) -> bytes:
    if isinstance(entry, StoredPath):
        return entry.read_head()
    with open(entry, "rb") as file:
        return file.read(image_formats.HEAD_BYTES)
