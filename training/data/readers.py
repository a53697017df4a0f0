"""Readers of one example by its number: from image files, or TFRecords; `cifar` has another."""

import os
from typing import Any, Protocol

import numpy as np
import tensorflow as tf

from keras_ghostnet.training.data import shards


class Reader(Protocol):
    """Reads an example's encoded image and its label, which counts from 0."""

    def __len__(self) -> int: ...

    def key(self, index: int) -> str:
        """A name for people."""

    def load(self, index: Any) -> tuple[Any, Any]:
        """In TensorFlow: a scalar string and an int32, or an error if it cannot be read."""

    def read(self, index: int) -> tuple[bytes, int]:
        """In Python.

        Raises:
            ValueError: If the example cannot be read; says why.
        """


class FileReader:
    """Image files.

    Args:
        root: The folder.
        images: Pairs `(path relative to root, label)`.
    """

    def __init__(self, root, images):
        self.paths = tuple(os.path.join(str(root), path) for path, _ in images)
        self.labels = np.array([label for _, label in images], np.int32)
        with tf.device("CPU:0"):
            self._tensors = tf.constant(self.paths), tf.constant(self.labels)

    def __len__(self):
        return len(self.paths)

    def key(self, index):
        return self.paths[index]

    def load(self, index):
        paths, labels = self._tensors
        return tf.io.read_file(paths[index]), labels[index]

    def read(self, index):
        """Bytes and label of an image.

        Raises:
            ValueError: If the file cannot be read.
        """
        try:
            with open(self.paths[index], "rb") as file:
                return file.read(), int(self.labels[index])
        except OSError as error:
            raise ValueError(f"cannot be read: {error.strerror}") from error


class RecordReader:
    """TFRecords, read by position.

    Args:
        paths: The files.
        encoded: The key of the image's bytes.
        label: The key of the label.
        first_label: The label of the first class.
    """

    def __init__(self, paths, encoded="image/encoded", label="image/class/label", first_label=0):
        self.paths = tuple(paths)
        self.encoded, self.label, self.first_label = encoded, label, first_label
        self.shard, self.offset = shards.record_offsets(self.paths)
        # Numbers of records within their files: there is no record before a file's first.
        self.number = np.arange(len(self.shard)) - np.searchsorted(self.shard, self.shard)
        with tf.device("CPU:0"):
            self._tensors = [tf.constant(x) for x in (self.paths, self.shard, self.offset)]

    def __len__(self):
        return len(self.offset)

    def key(self, index):
        return f"{self.paths[self.shard[index]]}:{self.number[index]}"

    def load(self, index):
        paths, shard, offset = self._tensors
        record = shards.read_record(paths[shard[index]], offset[index])
        features = {
            self.encoded: tf.io.FixedLenFeature([], tf.string),
            self.label: tf.io.FixedLenFeature([], tf.int64),
        }
        example = tf.io.parse_single_example(record, features)
        return example[self.encoded], tf.cast(example[self.label] - self.first_label, tf.int32)

    def read(self, index):
        """Bytes and label of a record.

        Raises:
            ValueError: If the record is damaged, or holds no image or no label.
        """
        path, offset = self.paths[self.shard[index]], self.offset[index]
        try:
            record = shards.read_record(path, offset).numpy()
        except tf.errors.OpError as error:
            raise ValueError("the record is damaged: its CRC does not match") from error
        try:
            feature = tf.train.Example.FromString(record).features.feature
            encoded, label = feature[self.encoded].bytes_list, feature[self.label].int64_list
            return encoded.value[0], label.value[0] - self.first_label
        except Exception as error:  # what protobuf raises differs between its implementations
            raise ValueError(f"the record does not hold {self.encoded} and {self.label}") from error
