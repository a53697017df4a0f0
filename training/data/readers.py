"""Readers of one example by its number: files, files with maps, TFRecords; `cifar` has another."""

import contextlib
import os
from collections.abc import Iterable, Iterator
from typing import Any, Protocol

import numpy as np
import tensorflow as tf

from keras_ghostnet import extras
from keras_ghostnet.files import printable
from keras_ghostnet.training.data import label_maps, shards

# What the features of image classification are called, by those who write TFRecords.
ENCODED_KEYS = ("image/encoded", "image", "image_raw", "encoded")
ONE_RECORD = 1 << 18  # bytes that are read at a time of one that TensorFlow reads
LABEL_KEYS = ("image/class/label", "label", "class", "target")


class Reader(Protocol):
    """Reads an example's encoded image and its label: a class from 0, or a map of classes.

    Attributes:
        groups_ahead: How many calls of `fetch` are worth making at once, beside the decoding: of
            a reader that waits for answers, or runs Python; 0 for one that need not.
        fetched: Of one example, what `fetch` returns: a structure of `tf.TensorSpec`.
        is_anywhere: Whether `load` can do without what was fetched: so another host can run it.
        failure: Why nothing can be read any more, in a line; None as long as it can.
    """

    groups_ahead: int = 0
    fetched: Any = tf.TensorSpec([], tf.string)
    is_anywhere: bool = False
    failure: str | None = None

    def __len__(self) -> int: ...

    def key(self, index: int) -> str:
        """A name for people."""

    def identity(self) -> Iterable[bytes]:
        """What distinguishes the examples from others, wherever they lie."""

    def fetch(self, indices: Any) -> Any:
        """In TensorFlow: what `load` takes of some examples `(n,)`, stacked.

        What is faster for many at once; -1 stands for no example. It fails only if nothing can be
        read any more: then `failure` says why.
        """

    def load(self, index: Any, fetched: Any) -> tuple[Any, Any]:
        """In TensorFlow, of one: a scalar string and its label.

        If it cannot be read, that is an error, or the string is empty. Without what was fetched,
        None, there is no Python in it.
        The label is an int32, or a map uint8 `(height, width)`, of no pixels if that is the error.
        """

    def read(self, index: int) -> tuple[bytes, Any]:
        """In Python: the label is an integer, or a map as an array.

        Raises:
            ValueError: If the example cannot be read; says why.
        """


class FileReader(Reader):
    """Image files.

    Args:
        root: The folder.
        images: Pairs `(path relative to root, label)`.
    """

    is_anywhere = True

    def __init__(self, root: str | os.PathLike[str], images: Iterable[tuple[str, int]]):
        self.root = str(root)
        self.paths = tuple(os.path.join(self.root, path) for path, _ in images)
        self.labels = np.array([label for _, label in images], np.int32)
        with tf.device("CPU:0"):
            here = "" if os.path.isabs(self.root) else os.path.join(os.getcwd(), "")
            paths = tf.constant([os.fsencode(here + path) for path in self.paths], tf.string)
            self._tensors = paths, tf.constant(self.labels)

    def __len__(self) -> int:
        return len(self.paths)

    def key(self, index: int) -> str:
        return printable(self.paths[index])

    def identity(self) -> Iterator[bytes]:
        start = len(os.path.join(self.root, ""))
        yield self.labels.tobytes()
        yield from (os.fsencode(path[start:]) for path in self.paths)

    def fetch(self, indices: tf.Tensor) -> tf.Tensor:
        return indices

    def load(self, index: tf.Tensor, fetched: tf.Tensor | None) -> tuple[tf.Tensor, tf.Tensor]:
        paths, labels = self._tensors
        return tf.io.read_file(tf.gather(paths, index)), tf.gather(labels, index)

    def read(self, index: int) -> tuple[bytes, int]:
        """Bytes and label of an image.

        Raises:
            ValueError: If the file cannot be read.
        """
        try:
            with open(self.paths[index], "rb") as file:
                return file.read(), int(self.labels[index])
        except OSError as error:
            raise ValueError(f"cannot be read: {error.strerror}") from error


class MapReader(Reader):
    """Image files, and beside each a file of its map.

    Args:
        images: The reader of the images.
        maps: One of as many files, the maps.
    """

    def __init__(self, images: Reader, maps: Reader):
        self.images, self.maps = images, maps
        self.groups_ahead = images.groups_ahead
        self.fetched = images.fetched, maps.fetched

    @property
    def failure(self) -> str | None:  # type: ignore[override]
        return self.images.failure or self.maps.failure

    def __len__(self) -> int:
        return len(self.images)

    def key(self, index: int) -> str:
        return self.images.key(index)

    def identity(self) -> Iterator[bytes]:
        yield from self.images.identity()
        yield from self.maps.identity()

    def fetch(self, indices: tf.Tensor) -> tuple[Any, Any]:
        return self.images.fetch(indices), self.maps.fetch(indices)

    def load(self, index: tf.Tensor, fetched: Any) -> tuple[tf.Tensor, tf.Tensor]:
        def decode(encoded):
            try:
                return label_maps.decode_map(encoded)
            except ValueError:  # `read` says why
                return np.zeros((0, 0), np.uint8)

        image, label_map = fetched
        encoded, _ = self.images.load(index, image)
        encoded_map, _ = self.maps.load(index, label_map)
        labels = tf.numpy_function(decode, [encoded_map], tf.uint8, stateful=False)
        return encoded, tf.ensure_shape(labels, (None, None))

    def read(self, index: int) -> tuple[bytes, np.ndarray]:
        """Bytes of an image, and its map, uint8 `(height, width)`.

        Raises:
            ValueError: If a file cannot be read, or the map is none.
            StoreError: If nothing can be read any more.
        """
        encoded, _ = self.images.read(index)
        try:
            encoded_map, _ = self.maps.read(index)
            return encoded, label_maps.decode_map(encoded_map)
        except ValueError as error:
            raise ValueError(f"its map {self.maps.key(index)} {error}") from error


class RecordReader(Reader):
    """TFRecords, read by position.

    Args:
        paths: The files; compressed ones are decompressed into the user's cache first.
        encoded: The key of the image's bytes; None finds the usual ones in the first record.
        label: The key of the label; None finds the usual ones likewise.
        first_label: The label of the first class.
    """

    groups_ahead = 1  # so that the decoding does not wait for Python
    fetched = tf.TensorSpec([], tf.string), tf.TensorSpec([], tf.int64)
    is_anywhere = True

    def __init__(
        self,
        paths: Iterable[Any],
        encoded: str | None = None,
        label: str | None = None,
        first_label: int = 0,
    ):
        extras.require("google_crc32c", purpose="Reading TFRecords", extra="train")
        self.paths, self.first_label = tuple(paths), first_label
        self.shard, self.offset, self.end = self._locate()
        # Numbers of records within their files: there is no record before a file's first.
        self.number = np.arange(len(self.shard)) - np.searchsorted(self.shard, self.shard)
        self.encoded, self.label = encoded, label
        if encoded is None or label is None:
            self.encoded, self.label = self._find_keys()

    def _locate(self):
        """The number of the file of every record, int32, and where it begins and ends, int64."""
        self._plain = tuple(map(shards.decompressed, self.paths))
        shard, offset = shards.record_offsets(self._plain)
        sizes = list(map(os.path.getsize, self._plain))
        return shard, offset, shards.record_ends(shard, offset, sizes)

    def __len__(self) -> int:
        return len(self.offset)

    def key(self, index: int) -> str:
        return f"{printable(self.paths[self.shard[index]])}:{self.number[index]}"

    def identity(self) -> Iterator[bytes]:
        yield from (os.fsencode(os.path.basename(path)) for path in self.paths)
        yield np.stack([self.shard, self.offset]).astype("int64").tobytes()

    def fetch(self, indices: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Images and labels; empty strings for what cannot be read.

        For each record by itself, TensorFlow would begin a dataset, which takes longer than the
        reading, and find what is in it, which takes longer than in Python.
        """
        types = [spec.dtype for spec in self.fetched]
        found = tf.numpy_function(self._examples, [indices], types, stateful=False)
        encoded, label = (tf.ensure_shape(each, indices.shape) for each in found)
        return encoded, label

    def load(self, index: tf.Tensor, fetched: Any) -> tuple[tf.Tensor, tf.Tensor]:
        encoded, label = self._load_without_python(index) if fetched is None else fetched
        return encoded, tf.cast(label - self.first_label, tf.int32)

    def _load_without_python(self, index):
        features = {
            self.encoded: tf.io.FixedLenFeature([], tf.string),
            self.label: tf.io.FixedLenFeature([], tf.int64),
        }
        example = tf.io.parse_single_example(self._read_without_python(index), features)
        return example[self.encoded], example[self.label]

    def _read_without_python(self, index):
        files = tf.constant([os.fsencode(os.path.abspath(path)) for path in self._plain])
        found = tf.raw_ops.TFRecordDatasetV2(
            filenames=files[tf.constant(self.shard)[index]][None],
            compression_type="",
            buffer_size=ONE_RECORD,
            byte_offsets=[tf.constant(self.offset)[index]],
        )
        records = tf.data.experimental.from_variant(found, tf.TensorSpec([], tf.string))
        return records.take(1).get_single_element()

    def _examples(self, indices):
        encoded, label = np.full(len(indices), b"", object), np.zeros(len(indices), np.int64)
        places = np.flatnonzero(indices >= 0)
        for place, record in zip(places, self._records(indices[places]), strict=True):
            if isinstance(record, bytes):
                with contextlib.suppress(ValueError):  # `read` says why
                    encoded[place], label[place] = self._example(record)
        return encoded, label

    def _records(self, indices):
        """Some records, a list of bytes or of errors."""
        places = (each[indices].tolist() for each in (self.shard, self.offset, self.end))
        return [
            self._content(self._framed(self._plain[number], start, end))
            for number, start, end in zip(*places, strict=True)
        ]

    def _framed(self, path, start, end):
        """All bytes that a record takes in its file, or why they cannot be read."""
        try:
            return shards.read_part(path, start, end)
        except OSError as error:
            return error

    @staticmethod
    def _content(framed):
        """A record's content, or why there is none."""
        if isinstance(framed, OSError):
            return framed
        try:
            return shards.unframed(framed)
        except shards.DamagedRecordError as error:
            return error

    def _example(self, record):
        """The image and the label in a record."""
        try:
            feature = _features(record)
            encoded, label = feature[self.encoded].bytes_list, feature[self.label].int64_list
            return encoded.value[0], label.value[0]
        except Exception as error:  # what protobuf raises differs between its implementations
            raise ValueError(f"the record does not hold {self.encoded} and {self.label}") from error

    def _record(self, index):
        return content_of(*self._records(np.array([index])))

    def read(self, index: int) -> tuple[bytes, int]:
        """Bytes and label of a record.

        Raises:
            ValueError: If the record is damaged, or holds no image or no label.
        """
        encoded, label = self._example(self._record(index))
        return encoded, label - self.first_label

    def _find_keys(self):
        """The keys of image and label; the standard ones if the first record cannot be read."""
        try:
            features = _features(self._record(0))
            kinds = {key: value.WhichOneof("kind") for key, value in features.items()}
        except Exception:  # it is reported when it is read
            return ENCODED_KEYS[0], LABEL_KEYS[0]
        found = [
            next((key for key in keys if kinds.get(key) == kind), None)
            for keys, kind in ((ENCODED_KEYS, "bytes_list"), (LABEL_KEYS, "int64_list"))
        ]
        if None in found:
            raise ValueError(
                f"{self.key(0)} must hold an encoded image ({', '.join(ENCODED_KEYS)}: bytes) and "
                f"its label ({', '.join(LABEL_KEYS)}: int64). Found: "
                f"{', '.join(f'{key}: {kind}' for key, kind in sorted(kinds.items())) or 'none'}."
            )
        return found


def content_of(content: bytes | Exception) -> bytes:
    """What was read of an example.

    Raises:
        ValueError: If it is why it cannot be read.
    """
    if isinstance(content, OSError):
        raise ValueError(f"cannot be read: {content.strerror or content}") from content
    if isinstance(content, Exception):
        raise content
    return content


def _features(record):
    return tf.train.Example.FromString(record).features.feature
