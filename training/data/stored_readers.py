"""Readers of examples in stores: as those of `readers`, many requests at once, and ahead."""

from __future__ import annotations

import concurrent.futures
import contextlib
import functools
import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from rich.console import Console

from keras_ghostnet import files, stores
from keras_ghostnet.files import printable
from keras_ghostnet.training.data import manifest, shards
from keras_ghostnet.training.data.objects import Objects
from keras_ghostnet.training.data.readers import Reader, RecordReader, content_of
from keras_ghostnet.training.data.stored_folder import StoredPath

# Of at most 32 examples each: some hundred requests are under way at any time, for some tens of
# megabytes of images that wait.
GROUPS_AHEAD = 8
BLOCK = 8 << 20  # bytes of a file without an index that are read at a time
FILES_AT_ONCE = 16  # that are looked through for records


class StoredReader(Reader):
    """What the readers of images and of records in stores have in common.

    Args:
        objects: What reads there.
    """

    groups_ahead, is_anywhere = GROUPS_AHEAD, False

    def __init__(self, objects: Objects):
        self.objects = objects

    def _contents(self, indices):
        """What some examples' objects hold, a list of bytes or of errors."""
        raise NotImplementedError

    def fetch(self, indices: tf.Tensor) -> tf.Tensor:
        """What the examples' objects hold; empty strings of those that cannot be read."""
        found = tf.numpy_function(self._fetch, [indices], tf.string, stateful=False)
        return tf.ensure_shape(found, indices.shape)

    def _fetch(self, indices):
        found = np.full(len(indices), b"", object)
        places = np.flatnonzero(indices >= 0)
        if len(places):
            contents = self._read(indices[places])
            found[places] = [b"" if isinstance(each, Exception) else each for each in contents]
        return found

    def _read(self, indices):
        try:
            return self._contents(indices)
        except stores.StoreError as error:
            self.failure = str(error)
            raise

    def _read_one(self, index):
        return content_of(*self._read(np.array([index])))


class StoredFileReader(StoredReader):
    """Image files in a store.

    Args:
        root: The folder.
        images: Pairs `(path relative to root, label)`.
    """

    def __init__(self, root: StoredPath, images: Iterable[tuple[str, int]]):
        super().__init__(root.tree.objects)
        self.root = root
        self.paths = tuple(path for path, _ in images)
        self.labels = np.array([label for _, label in images], np.int32)
        with tf.device("CPU:0"):
            self._labels = tf.constant(self.labels)

    def __len__(self) -> int:
        return len(self.paths)

    def key(self, index: int) -> str:
        return printable(self.root / self.paths[index])

    def identity(self) -> Iterator[bytes]:
        yield self.labels.tobytes()
        yield from map(os.fsencode, self.paths)

    def _contents(self, indices):
        paths = [self.root / self.paths[index] for index in indices]
        return self.objects.read_many([path.relative for path in paths])

    def load(self, index: tf.Tensor, encoded: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return encoded, self._labels[index]

    def read(self, index: int) -> tuple[bytes, int]:
        """Bytes and label of an image.

        Raises:
            ValueError: If the object cannot be read.
            StoreError: If nothing can be read any more.
        """
        return self._read_one(index), int(self.labels[index])


class StoredRecordReader(RecordReader, StoredReader):
    """TFRecords in a store, read by position.

    Where the records of a file begin is read from its index, `NAME.idx`. A file without one is read
    once, and its index is written, beside it or else into the user's cache. Compressed files are
    copied into that cache, decompressed.

    Args:
        paths: The files.
        console: Where to say that files have to be read through; None says nothing.

    The other arguments are those of `RecordReader`.
    """

    groups_ahead, is_anywhere = StoredReader.groups_ahead, StoredReader.is_anywhere

    def __init__(
        self, paths: Sequence[StoredPath], *, console: Console | None = None, **options: Any
    ):
        StoredReader.__init__(self, paths[0].tree.objects)
        self.console = console
        RecordReader.__init__(self, paths, **options)

    def _locate(self):
        sizes = np.array([path.stat().st_size for path in self.paths], np.int64)
        self._copies: dict[int, str] = {}  # decompressed, by the file's number
        found = self._read_indices(sizes)
        missing = [number for number, offsets in enumerate(found) if offsets is None]
        if missing and self.console is not None:
            self.console.print(
                f"{len(missing)} TFRecord files in {self.objects.url} have no index: they are read "
                "through once",
                soft_wrap=True,
            )
        with concurrent.futures.ThreadPoolExecutor(FILES_AT_ONCE) as pool:
            for number, offsets in zip(missing, pool.map(self._look_through, missing), strict=True):
                found[number] = offsets
        for number, copy in self._copies.items():
            sizes[number] = os.path.getsize(copy)
        counts = [len(each) for each in found]
        shard = np.repeat(np.arange(len(found), dtype=np.int32), counts)
        offset = np.concatenate(found)
        return shard, offset, shards.record_ends(shard, offset, sizes)

    def _read_indices(self, sizes):
        """Offsets of every file's records where its index is there and true; None elsewhere."""
        found: list[np.ndarray | None] = [None] * len(self.paths)
        indices = [path.parent / f"{path.name}{manifest.INDEX}" for path in self.paths]
        there = [number for number, index in enumerate(indices) if index.is_file()]
        contents = self.objects.read_many([indices[number].relative for number in there])
        for number, content in zip(there, contents, strict=True):
            if isinstance(content, bytes):
                found[number] = shards.read_index(content, int(sizes[number]))
        return found

    def _look_through(self, number):
        """Offsets of the records of a file without an index."""
        path, size = self.paths[number], self.paths[number].stat().st_size
        with stores.explained(str(path)):
            state = self.objects.system.ukey(f"{self.objects.key}/{path.relative}")
        state = hashlib.sha256(f"{path}\0{state}".encode()).hexdigest()[:32]
        cached = files.cache("records") / f"{state}{manifest.INDEX}"
        if cached.is_file() and (kept := shards.read_index(cached.read_bytes(), size)) is not None:
            return kept
        if shards.is_compressed(path.read_head()):
            copy = files.cache("records") / state
            shards.make_copy(path.open, copy, path)
            self._copies[number] = str(copy)
            return shards.record_offsets([copy])[1]
        offsets = shards.scan(functools.partial(self._read_part, path), size, path, BLOCK)
        index = shards.write_index(offsets, size)
        try:
            self.objects.write(f"{path.relative}{manifest.INDEX}", index)
        except stores.StoreError:  # it is not ours
            with contextlib.suppress(OSError), files.replacing(cached) as partial:
                partial.write_bytes(index)
        return offsets

    def _read_part(self, path, start, end):
        (content,) = self.objects.read_many([path.relative], [start], [end])
        if isinstance(content, OSError):
            raise content
        return content

    def _contents(self, indices):
        shard, offset, end = self.shard[indices], self.offset[indices], self.end[indices]
        stored = np.flatnonzero(~np.isin(shard, [*self._copies]))
        names = [self.paths[number].relative for number in shard[stored]]
        contents = self.objects.read_many(names, offset[stored].tolist(), end[stored].tolist())
        framed = dict(zip(stored.tolist(), contents, strict=True))
        return [
            self._content(
                framed[place]
                if place in framed
                else self._framed(self._copies[shard[place]], offset[place], end[place])
            )
            for place in range(len(indices))
        ]

    def _records(self, indices):
        return self._read(indices)
