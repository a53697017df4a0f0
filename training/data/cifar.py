"""CIFAR-10 and CIFAR-100 as their authors publish them in binary: raw pixels behind a label.

The format is described at https://www.cs.toronto.edu/~kriz/cifar.html. The Python version is made
of pickles and not read: to read a pickle is to run what it asks for.
"""

import dataclasses
import itertools
import pathlib
import struct
from collections.abc import Iterable, Iterator

import numpy as np
import tensorflow as tf

from keras_ghostnet import files
from keras_ghostnet.training.data.readers import Reader
from keras_ghostnet.training.data.stored_folder import StoredPath

SIDE, CHANNELS = 32, 3
PIXELS = CHANNELS * SIDE * SIDE  # bytes: all of red, then green, then blue, row by row
# A bitmap is this in front of blue, green, red of each pixel, the lowest row first: so the pixels
# pass through the same decoders as all other images, at no cost and without a change.
FILE_HEADER, BITMAP_HEADER = 14, 40  # bytes
BITMAP = struct.pack(
    "<2sIHHIIiiHHIIiiII",
    *(b"BM", FILE_HEADER + BITMAP_HEADER + PIXELS, 0, 0, FILE_HEADER + BITMAP_HEADER),
    *(BITMAP_HEADER, SIDE, SIDE, 1, 8 * CHANNELS, 0, PIXELS, 0, 0, 0, 0),
)


@dataclasses.dataclass(frozen=True)
class CifarVersion:
    """One of the two data sets.

    Attributes:
        title: What a message calls it.
        classes: The file of the classes' names, one per line.
        files: From a split's name to its files.
        labels: Bytes in front of every image; the last one is its label.
        pickles: Files that the Python version has instead.
    """

    title: str
    classes: str
    files: dict[str, tuple[str, ...]]
    labels: int
    pickles: tuple[str, ...]


VERSIONS = (
    CifarVersion(
        "CIFAR-10",
        "batches.meta.txt",
        {
            "train": tuple(f"data_batch_{number}.bin" for number in range(1, 6)),
            "val": ("test_batch.bin",),
        },
        1,
        ("data_batch_1", "batches.meta"),
    ),
    CifarVersion(
        "CIFAR-100",
        "fine_label_names.txt",
        {"train": ("train.bin",), "val": ("test.bin",)},
        2,  # one of 20 coarse classes, then one of 100 fine ones
        ("train", "meta"),
    ),
)


def detect_version(folder: pathlib.Path | StoredPath) -> CifarVersion | None:
    """Which data set a folder holds.

    Args:
        folder: The folder.

    Returns:
        A `CifarVersion`, or None if it is none of them.

    Raises:
        ValueError: If it is the Python version.
    """
    for version in VERSIONS:
        if all((folder / name).is_file() for name in version.pickles):
            raise ValueError(
                f"{folder} is {version.title} for Python: pickles, which are not read. Download "
                "the binary version and give its folder."
            )
        if any((folder / name).is_file() for name in itertools.chain(*version.files.values())):
            return version
    return None


def read_class_names(folder: pathlib.Path, version: CifarVersion) -> tuple[str, ...]:
    """The classes' names in the order of the labels, a tuple.

    Raises:
        FileNotFoundError: If their file is missing.
    """
    path = folder / version.classes
    if not path.is_file():
        raise FileNotFoundError(
            f"{folder} holds {version.title}, but not {version.classes}, which names its classes. "
            "Unpack the archive again."
        )
    return tuple(line.strip() for line in files.read_text(path).splitlines() if line.strip())


class CifarReader(Reader):
    """The images of one split, in memory; a reader as `readers` describes them.

    Args:
        folder: A `pathlib.Path`.
        version: Of `detect_version`.
        names: Names of the split's files.
        classes: The number of classes.

    Raises:
        FileNotFoundError: If one of the split's files is missing.
        ValueError: If a file is cut off, empty, or holds a label out of range.
    """

    def __init__(
        self, folder: pathlib.Path, version: CifarVersion, names: Iterable[str], classes: int
    ):
        self.paths = [folder / name for name in names]
        parts = [_read(path, version, classes) for path in self.paths]
        self.ends = np.cumsum([len(labels) for _, labels in parts])
        with tf.device("CPU:0"):
            self._images = tf.constant([bitmap for bitmaps, _ in parts for bitmap in bitmaps])
            self._labels = tf.constant(np.concatenate([labels for _, labels in parts]))

    def __len__(self) -> int:
        return len(self._labels)

    def key(self, index: int) -> str:
        file = np.searchsorted(self.ends, index, side="right")
        before = self.ends[file - 1] if file else 0
        return f"{self.paths[file]}:{index - before}"

    def identity(self) -> Iterator[bytes]:
        yield from (path.name.encode() for path in self.paths)
        yield self._labels.numpy().tobytes()

    def fetch(self, indices: tf.Tensor) -> tf.Tensor:
        return indices

    def load(self, index: tf.Tensor, fetched: tf.Tensor | None) -> tuple[tf.Tensor, tf.Tensor]:
        return self._images[index], self._labels[index]

    def read(self, index: int) -> tuple[bytes, int]:
        return self._images[index].numpy(), int(self._labels[index])


def _read(path, version, classes):
    """The images of a file as bitmaps, a list of bytes, and their labels, int32."""
    if not path.is_file():
        raise FileNotFoundError(
            f"{version.title} is incomplete: there is no file {path}. Unpack the archive again."
        )
    content = np.frombuffer(path.read_bytes(), np.uint8)
    size = version.labels + PIXELS
    if not len(content) or len(content) % size:
        raise ValueError(
            f"{path} is cut off or no file of {version.title}: {len(content):,} bytes are not a "
            f"whole number of examples of {size:,} bytes. Unpack the archive again."
        )
    records = content.reshape(-1, size)
    labels = records[:, version.labels - 1].astype(np.int32)
    if (wrong := np.flatnonzero(labels >= classes)).size:
        raise ValueError(
            f"{path}:{wrong[0]}: label {labels[wrong[0]]} is out of range: {version.classes} names "
            f"{classes} classes, 0 to {classes - 1}. {wrong.size} such in the file: it is damaged."
        )
    planes = records[:, version.labels :].reshape(-1, CHANNELS, SIDE, SIDE)
    pixels = planes[:, ::-1, ::-1].transpose(0, 2, 3, 1)
    return [BITMAP + image.tobytes() for image in pixels], labels
