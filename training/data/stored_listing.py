"""Opens folders of stores; the names of a million files are listed once, and kept beside them."""

from __future__ import annotations

import base64
import contextlib
import datetime
import gzip
import hashlib
import io
import json
import pathlib
import time
import zlib
from collections.abc import Iterator

from rich.console import Console

from keras_ghostnet import files, stores
from keras_ghostnet.training.data import image_files, image_formats, listing, manifest, shards
from keras_ghostnet.training.data.objects import PAGE, Objects
from keras_ghostnet.training.data.stored_folder import StoredPath, StoredTree

NAME = ".keras_ghostnet-listing.json.gz"
FORMAT = 1
LEAST = PAGE  # files for which a listing is kept: one request lists as many
MAX_BYTES = 4 << 30  # of a listing that is read, uncompressed: a hundred million files
CHUNK = 1 << 20  # bytes of it that are uncompressed at a time
SAY_SECONDS = 10.0  # between lines while there is nothing to show but a number
BLOCK = 4096  # heads of files that are read at once
LISTED_FOLDERS = 10  # folders whose names show whether a kept listing is still true, at most


def open_folder(url: str, console: Console | None = None) -> StoredPath:
    """Opens a folder of a store.

    Of TFRecords, their own folders are listed. Of anything else the names of all files are, once:
    from a thousand of them on, they are kept in an object `NAME` in the folder, or in the user's
    cache if that cannot be written. Kept names are listed again if the folder, or the folders of
    its splits, hold others than they did; files that come and go within a class are not noticed.

    Args:
        url: The folder.
        console: Where to show progress; None prints nothing.

    Returns:
        The folder.

    Raises:
        FileNotFoundError: If there is nothing.
        ImportError: If the store's library is not installed.
        NotADirectoryError: If it is an object.
        StoreError: If the store refuses or does not answer.
        ValueError: If the URL names no place in a store.
    """
    objects = Objects(url)
    if kept := _read_kept(objects, console):
        return StoredPath(kept)
    try:
        top = _list_top(objects)
    except stores.StoreError:
        if sizes := manifest.stored_sizes(objects):  # who may not list may read
            return StoredPath(StoredTree(objects, sizes.items()))
        raise
    if not top:
        raise FileNotFoundError(
            f"There is nothing in {files.printable(objects.url)}. Check the path."
        )
    if any(shards.RECORDS.fullmatch(name.rpartition("/")[2]) for name, size in top.items() if size):
        found = {name: size for name, size in top.items() if size is not None}
        return StoredPath(StoredTree(objects, found.items()))
    return StoredPath(_list_all(objects, console))


def open_path(url: str) -> StoredPath:
    """Opens a folder of a store as `open_folder`, or an object, which is not read yet."""
    try:
        return open_folder(url)
    except NotADirectoryError:
        parent, _, name = url.rstrip("/").rpartition("/")
        objects = Objects(parent)
        return StoredPath(StoredTree(objects, [(name, objects.size(name))]), name)


def _list_top(objects: Objects) -> dict[str, int | None]:
    """What a folder holds, and what folders that are called like splits do: sizes by name."""
    top = {name: _size(entry) for name, entry in objects.list_folder().items()}
    for folder in [name for name, size in top.items() if size is None]:
        if shards.named_splits(folder):
            inner = objects.list_folder(folder)
            top |= {f"{folder}/{name}": _size(entry) for name, entry in inner.items()}
    return top


def _size(entry: dict) -> int | None:
    return None if entry["type"] == "directory" else int(entry.get("size") or 0)


def _list_all(objects: Objects, console: Console | None) -> StoredTree:
    """Lists everything, and keeps it if it is much."""
    found: dict[str, int] = {}
    said = time.monotonic()
    for name, size in objects.list_all():
        if _is_path(name):
            found[name] = size
        if console is not None and time.monotonic() - said > SAY_SECONDS:
            console.print(f"  {len(found):,} files listed in {objects.url} so far", soft_wrap=True)
            said = time.monotonic()
    heads = _read_heads(objects, found)
    if len(found) < LEAST:
        return StoredTree(objects, found.items(), heads)
    listed = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    tree = StoredTree(objects, found.items(), heads)
    content = _pack(listed, found, heads, _state(tree))
    try:
        objects.write(NAME, content)
        where = objects.locate(NAME)
    except stores.StoreError as error:
        cached = _cached(objects)
        with files.replacing(cached) as partial:
            partial.write_bytes(content)
        where = str(cached)
        if console is not None:
            console.print(
                f"The listing is kept on this machine alone, in {where}: {error}", soft_wrap=True
            )
    tree.note = _note(len(found), listed, where)
    return tree


def _note(count: int, listed: str, where: str) -> str:
    return (
        f"{count:,} files as listed at {listed}; to have them listed again, remove "
        f"{files.printable(where)}"
    )


def _read_heads(objects: Objects, sizes: dict[str, int]) -> dict[str, bytes]:
    """The first bytes of files whose names do not show whether they are images."""
    unknown = [name for name, size in sizes.items() if size and _is_sniffed(name)]
    heads: dict[str, bytes] = {}
    for start in range(0, len(unknown), BLOCK):
        names = unknown[start : start + BLOCK]
        read = objects.read_many(names, ends=[image_formats.HEAD_BYTES] * len(names))
        heads |= {
            name: head for name, head in zip(names, read, strict=True) if isinstance(head, bytes)
        }
    return heads


def _is_sniffed(path: str) -> bool:
    *folders, name = path.split("/")
    return not (
        any(map(image_files.is_ignored, (*folders, name)))
        or image_files.is_named(name)
        or image_files.PRODUCT.fullmatch(name)
    )


def _is_path(name: str) -> bool:
    """Whether a name is that of a file in a folder, as it would be on a disk."""
    return "\0" not in name and not {"", ".", ".."} & set(name.split("/"))


# -------------------------------------------------------------------- what is kept


def _cached(objects: Objects) -> pathlib.Path:
    return files.cache("stores") / f"listing-{hashlib.sha256(objects.url.encode()).hexdigest()}.gz"


def _pack(listed: str, sizes: dict[str, int], heads: dict[str, bytes], state: str) -> bytes:
    """Names and sizes by folder: a million take some megabytes, and are read in a second or two."""
    folders: dict[str, dict[str, list]] = {}
    for path, size in sizes.items():
        folder, _, name = path.rpartition("/")
        columns = folders.setdefault(folder, {"names": [], "sizes": []})
        columns["names"].append(name)
        columns["sizes"].append(size)
    encoded = {name: base64.b64encode(head).decode() for name, head in heads.items()}
    content = {
        "format": FORMAT, "listed": listed, "state": state, "folders": folders, "heads": encoded
    }  # fmt: skip
    return gzip.compress(json.dumps(content, separators=(",", ":")).encode(), 6, mtime=0)


def _unpack(content: bytes) -> tuple[str, dict[str, int], dict[str, bytes], str]:
    """What `_pack` packed, of which nothing is trusted.

    Raises:
        ValueError: If it is anything else.
    """
    try:
        found = json.loads(_decompressed(content))
        if found["format"] != FORMAT:
            raise ValueError
        listed = datetime.datetime.fromisoformat(found["listed"]).isoformat(timespec="seconds")
        sizes: dict[str, int] = dict(_checked(found["folders"]))
        heads = {
            name: base64.b64decode(head, validate=True)[: image_formats.HEAD_BYTES]
            for name, head in found["heads"].items()
            if name in sizes
        }
    except (EOFError, OSError, zlib.error, ValueError, KeyError, TypeError, AttributeError,
            RecursionError) as error:  # fmt: skip
        raise ValueError("it is damaged, or of another version") from error
    return listed, sizes, heads, str(found.get("state"))


def _decompressed(content: bytes) -> bytes:
    parts: list[bytes] = []
    with gzip.GzipFile(fileobj=io.BytesIO(content)) as file:
        while part := file.read(CHUNK):
            parts.append(part)
            if len(parts) * CHUNK > MAX_BYTES:
                raise ValueError
    return b"".join(parts)


def _checked(folders: dict[str, dict[str, list]]) -> Iterator[tuple[str, int]]:
    """Names and sizes of a listing that anybody may have written."""
    for folder, columns in folders.items():
        for name, size in zip(columns["names"], columns["sizes"], strict=True):
            path = f"{folder}/{name}" if folder else name
            if (
                "/" in name
                or not _is_path(path)
                or type(size) is not int
                or not 0 <= size < 1 << 63
            ):
                raise ValueError
            yield path, size


def _read_kept(objects: Objects, console: Console | None) -> StoredTree | None:
    """The names that were listed earlier; None if there are none that can be used."""
    cached = _cached(objects)
    try:
        content, where = objects.read(NAME), objects.locate(NAME)
    except OSError:  # none, or it may not be read: what else is wrong, the listing says
        if not cached.is_file():
            return None
        content, where = cached.read_bytes(), str(cached)
    try:
        listed, sizes, heads, state = _unpack(content)
        tree = StoredTree(objects, sizes.items(), heads, _note(len(sizes), listed, where))
        with contextlib.suppress(stores.StoreError):  # who may not list has to believe it
            if _state(tree) != state:
                raise ValueError(f"what lies there has changed since {listed}")
    except ValueError as error:
        if console is not None:
            console.print(
                f"{files.printable(where)} is not used, but made again: {error}", soft_wrap=True
            )
        return None
    return tree


def _state(tree: StoredTree) -> str:
    """A hash of the names in a folder, and in those of its splits that hold folders alone.

    Raises:
        StoreError: If they cannot be listed.
    """
    splits = [
        name
        for name in sorted(tree.folders[""])
        if listing.SPLIT_FOLDER.fullmatch(name) and not any(tree.folders.get(name, {}).values())
    ]
    digest = hashlib.sha256()
    for folder in ("", *splits[:LISTED_FOLDERS]):
        names = sorted(set(tree.objects.list_folder(folder)) - {NAME})
        digest.update("\0".join((folder, *names, "")).encode(errors="surrogateescape"))
    return digest.hexdigest()
