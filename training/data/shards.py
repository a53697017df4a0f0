"""TFRecord files read by position: where every record begins, and one record at a time."""

import glob
import os
import pathlib
import re
import struct
import zipfile

import numpy as np
import tensorflow as tf

HEADER = struct.Struct("<QI")  # length of the record, masked CRC of these eight bytes
AROUND = HEADER.size + 4  # bytes of a record that are not its content
POLYNOMIAL = 0x82F63B78  # of CRC-32C, bits reversed
NAMES = {"train": ("train",), "val": ("validation", "val")}  # splits in the files' names


def shard_paths(directory, split):
    """The files `SPLIT-00000-of-00008` of a folder, all of them, in order.

    Args:
        directory: The folder.
        split: `"train"` or `"val"`, which is also found as `validation`.

    Returns:
        A tuple of paths as strings, empty if the folder holds none.

    Raises:
        ValueError: If some of the files are missing, or two sets of them lie side by side.
    """
    for name in NAMES.get(split, (split,)):
        stem = glob.escape(os.path.join(str(directory), name))
        paths = sorted(glob.glob(f"{stem}-?????-of-?????"))
        if not paths:
            continue
        counts = {int(re.search(r"-of-(\d+)$", path).group(1)) for path in paths}
        if len(counts) > 1 or len(paths) != counts.pop():
            raise ValueError(
                f"{directory} must hold every {name} file exactly once; found {len(paths)}: "
                f"{os.path.basename(paths[0])} to {os.path.basename(paths[-1])}."
            )
        return tuple(paths)
    return ()


def record_offsets(paths):
    """Where every record of some TFRecord files begins.

    The lengths are walked through once, the contents are not read; the result is kept as
    `.NAME.index.npz` beside the files, as long as these have the same sizes and times.

    Args:
        paths: The files.

    Returns:
        Two arrays `(records,)`: the number of the file, int32, and the offset in bytes, int64.

    Raises:
        ValueError: If a file ends within a record or a length is damaged.
    """
    first = pathlib.Path(paths[0])
    cache = first.with_name(f".{re.sub(r'-[0-9]+-of-', '-of-', first.name)}.index.npz")
    stats = [os.stat(path) for path in paths]
    state = np.array([(stat.st_size, stat.st_mtime_ns) for stat in stats], np.int64)
    try:
        with np.load(cache, allow_pickle=False) as kept:
            if np.array_equal(kept["state"], state):
                return kept["shard"], kept["offset"]
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):
        pass  # none yet, or not whole: it is made again
    offsets = [_scan(path) for path in paths]
    shard = np.repeat(np.arange(len(paths), dtype=np.int32), [len(found) for found in offsets])
    offset = np.concatenate(offsets)
    # A name of its own for every process: workers that start together make it together.
    partial = cache.with_name(f"{cache.name}.{os.getpid()}.npz")
    try:
        np.savez(partial, state=state, shard=shard, offset=offset)
        os.replace(partial, cache)
    except OSError:
        partial.unlink(missing_ok=True)  # a folder that is not ours to write: kept in memory
    return shard, offset


def read_record(path, offset):
    """The one record that begins at an offset, with its CRC checked; eagerly or in a graph.

    Args:
        path: The TFRecord file; a string or a scalar string tensor.
        offset: Bytes from the file's start; an integer or a scalar int64 tensor.

    Returns:
        The record's content, a scalar string tensor.

    Raises:
        tf.errors.DataLossError: If the record is damaged.
    """
    # The public class lacks the offsets that its op has. And TensorFlow forgets them when it
    # writes such a dataset as a graph, as for an iterator: so it never leaves this function.
    variant = tf.raw_ops.TFRecordDatasetV2(
        filenames=tf.reshape(path, [1]),
        compression_type="",
        buffer_size=tf.constant(0, tf.int64),  # reading ahead would read other records
        byte_offsets=tf.reshape(tf.cast(offset, tf.int64), [1]),
    )
    dataset = tf.data.experimental.from_variant(variant, tf.TensorSpec([], tf.string))
    return dataset.take(1).get_single_element()


def _scan(path):
    """Offsets of a file's records, int64."""
    offsets, position, size = [], 0, os.path.getsize(path)
    with open(path, "rb") as file:
        while position < size:
            header = os.pread(file.fileno(), HEADER.size, position)
            length, crc = HEADER.unpack(header) if len(header) == HEADER.size else (size, 0)
            following = position + length + AROUND
            if following > size or crc != _masked_crc(header[:8]):
                raise ValueError(
                    f"{path} is damaged at byte {position} of {size}: the records after it cannot "
                    "be found. Copy the file again, or make the records again."
                )
            offsets.append(position)
            position = following
    return np.array(offsets, np.int64)


def _masked_crc(data):
    """The CRC-32C of some bytes as TFRecords store it. For headers; contents are TensorFlow's."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _TABLE[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def _table():
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (POLYNOMIAL if value & 1 else 0)
        yield value


_TABLE = tuple(_table())
