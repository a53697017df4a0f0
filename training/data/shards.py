"""TFRecord files read by position: where every record begins, and one record at a time."""

from __future__ import annotations

import contextlib
import hashlib
import os
import pathlib
import re
import struct
import time
import zlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from keras_ghostnet import files
from keras_ghostnet.files import printable
from keras_ghostnet.training.data import image_files, listing, manifest

KEPT_SECONDS = 7 * 24 * 3600.0  # that a decompressed copy stays in the cache without being opened
CHUNK = 1 << 20  # bytes read at a time
HEADER = struct.Struct("<QI")  # length of the record, masked CRC of these eight bytes
CHECKSUM = struct.Struct("<I")  # masked CRC of the content, behind it
AROUND = HEADER.size + CHECKSUM.size  # bytes of a record that are not its content
NUMBERED = re.compile(r"(.*)-(\d+)-of-(\d+)(.*)")  # what stands before, number, count, after
RECORDS = re.compile(  # `-00000-of-00008`, or `.tfrecord`, or both
    r".*(?:-\d+-of-\d+(?:\.tfrec(?:ords?)?)?|\.tfrec(?:ords?)?)(?:\.(?:gz|gzip|zlib|zz))?",
    re.IGNORECASE,
)
# How files begin that are compressed as TensorFlow writes them.
GZIP, ZLIB = b"\x1f\x8b", (b"x\x01", b"x\x5e", b"x\x9c", b"x\xda")


def find_records(directory: image_files.Folder) -> dict[str, tuple[image_files.Folder, ...]]:
    """The TFRecord files of a folder, by split.

    They are called `SPLIT-00000-of-00008`, `NAME-SPLIT.tfrecord-00000-of-00008`,
    `SPLIT.tfrecord` or alike, or lie in a folder of that name: a split is named by a word of
    `listing.SPLITS` in the file's name, else in its folder's.

    Args:
        directory: The folder.

    Returns:
        From a split's name to paths in order; empty if the folder holds no such files.

    Raises:
        ValueError: If a file is of no split or of several, some of a set are missing, or two
            sets of one split lie side by side; or `ghostnet make-records` did not finish.
    """
    if not directory.is_dir():
        return {}
    folders: list[image_files.Folder] = [directory]
    folders += [directory / name for name in image_files.subfolders(directory)]
    folders = [each for each in folders if each == directory or named_splits(each.name)]
    found: dict[str, list[image_files.Folder]] = {}
    for folder in folders:
        inner: list[image_files.Folder] = [*folder.iterdir()]
        for path in sorted(inner, key=os.fspath):
            if RECORDS.fullmatch(path.name) and path.name[0] != "." and path.is_file():
                splits = named_splits(path.name)
                if not splits and folder != directory:
                    splits = named_splits(folder.name)
                if len(splits) != 1:
                    raise ValueError(
                        f"{printable(path)} must name its split by a word in its name or its "
                        f"folder's: train, val, test, as in train-00000-of-00008 or "
                        f"val.tfrecord. Found: {', '.join(sorted(splits)) or 'none'}."
                    )
                found.setdefault(splits.pop(), []).append(path)
    if found:
        manifest.require_finished(directory)
    for split, paths in found.items():
        _require_whole_set(directory, split, paths)
    return {split: tuple(paths) for split, paths in found.items()}


def named_splits(name: str) -> set[str]:
    """The splits that the words of a name stand for."""
    words = re.findall(r"[a-z]+", name.lower())
    return {listing.WORDS[word] for word in words if word in listing.WORDS}


def _require_whole_set(directory, split, paths):
    matches = [NUMBERED.fullmatch(os.fspath(path)) for path in paths]
    sets = {match and (match[1], match[3], match[4]) for match in matches}
    count = matches[0] and int(matches[0][3])
    numbers = sorted(int(match[2]) for match in matches if match)
    if len(sets) > 1 or (count and numbers != [*range(count)]):
        raise ValueError(
            f"{printable(directory)} must hold every file of {split!r} exactly once, and no other "
            f"set beside them; found {len(paths)}: {paths[0].name} to {paths[-1].name}."
        )


def decompressed(path: str | os.PathLike[str]) -> str:
    """A TFRecord file that can be read by position: itself, or if compressed a copy in the cache.

    Copies that were not opened for a week are removed with the next one that is made.

    Args:
        path: The file; plain, or GZIP or ZLIB.

    Returns:
        The path of the file to read.

    Raises:
        ValueError: If the compression is damaged.
        OSError: If there is no space for the copy.
    """
    with open(path, "rb") as file:
        head = file.read(HEADER.size)
    if not is_compressed(head):
        return os.fspath(path)
    copy = files.cache("records") / _state(path)
    make_copy(pathlib.Path(path).open, copy, path)
    return str(copy)


def is_compressed(head: bytes) -> bool:
    """Whether a TFRecord file is compressed, by its first `HEADER.size` bytes or more."""
    is_plain = len(head) < HEADER.size or _has_length(head[: HEADER.size])
    return not is_plain and head.startswith((GZIP, *ZLIB))


def make_copy(
    open_file: Callable[[str], Any], copy: pathlib.Path, path: str | os.PathLike[str]
) -> None:
    """Decompresses a TFRecord file into the cache, unless it is there.

    Args:
        open_file: Opens the compressed file, for `"rb"`.
        copy: Where to write.
        path: What to call the file.

    Raises:
        ValueError: If the compression is damaged.
        OSError: If there is no space for the copy.
    """
    if copy.exists():
        os.utime(copy)
        return
    try:
        with (
            files.replacing(copy) as partial,
            open_file("rb") as source,
            open(partial, "wb") as target,
        ):
            _decompress(source, target)
        _forget_copies(copy.parent)
    except (zlib.error, EOFError) as error:
        raise ValueError(f"{printable(path)} is compressed and damaged: {error}.") from error
    except OSError as error:
        raise OSError(
            f"{printable(path)} is compressed, and cannot be decompressed to {copy}: {error}."
        ) from error


def _forget_copies(folder):
    """Removes copies that no run has opened for a while."""
    for path in folder.iterdir():
        with contextlib.suppress(OSError):  # another process may be removing it as well
            if time.time() - path.stat().st_mtime > KEPT_SECONDS:
                files.remove(path)


def _decompress(source, target):
    """Copies a file without its GZIP or ZLIB compression, of which there may be several streams."""
    data = source.read(CHUNK)
    while data:
        stream = zlib.decompressobj(zlib.MAX_WBITS | 32)  # either, by its header
        while not stream.eof:
            if not data:
                raise EOFError("it ends within its compression")
            target.write(stream.decompress(data))
            data = stream.unused_data or source.read(CHUNK)


def record_offsets(paths: Sequence[str | os.PathLike[str]]) -> tuple[np.ndarray, np.ndarray]:
    """Where every record of some TFRecord files begins.

    The lengths are walked through once, the contents are not read; the result is kept in the
    user's cache, as long as the files have the same sizes and times.

    Args:
        paths: The files.

    Returns:
        Two arrays `(records,)`: the number of the file, int32, and the offset in bytes, int64.

    Raises:
        ValueError: If a file ends within a record or a length is damaged.
    """
    # Not beside the files: whoever made those could have made it, too.
    cache = files.cache("records") / f"{_state(*paths)}.npz"
    with contextlib.suppress(Exception):  # none yet, or not whole: it is made again
        with np.load(cache, allow_pickle=False) as kept:
            shard, offset = kept["shard"], kept["offset"]
        if _are_plausible(paths, shard, offset):
            return shard, offset
    offsets = [find_offsets(path) for path in paths]
    shard = np.repeat(np.arange(len(paths), dtype=np.int32), [len(found) for found in offsets])
    offset = np.concatenate(offsets)
    with contextlib.suppress(OSError), files.replacing(cache) as partial:  # else kept in memory
        np.savez(partial, shard=shard, offset=offset)
    return shard, offset


def _state(*paths):
    """A name for what some files hold, as far as paths, sizes and times tell."""
    digest = hashlib.sha256()
    for path in paths:
        status = os.stat(path)
        state = f"{os.path.abspath(path)}\0{status.st_size}\0{status.st_mtime_ns}\0"
        digest.update(os.fsencode(state))
    return digest.hexdigest()[:32]


def _are_plausible(paths, shard, offset):
    """Whether kept offsets are those of whole records, as far as each file's ends tell."""
    if shard.dtype != np.int32 or offset.dtype != np.int64 or shard.shape != offset.shape:
        return False
    for number, path in enumerate(paths):
        found = offset[shard == number]
        if not len(found):
            if os.path.getsize(path):
                return False
            continue
        with open(path, "rb") as file:
            header = os.pread(file.fileno(), HEADER.size, int(found[-1]))
        end = found[-1] + HEADER.unpack(header)[0] + AROUND
        if found[0] != 0 or (np.diff(found) < AROUND).any() or end != os.path.getsize(path):
            return False
    return True


class DamagedRecordError(ValueError):
    """A record's checksum does not match what it holds."""


def read_part(path: str | os.PathLike[str], start: int, end: int) -> bytes:
    """The bytes of a file from one position to another, fewer if it ends before.

    Raises:
        OSError: If it cannot be read.
    """
    file = os.open(path, os.O_RDONLY)
    try:
        return os.pread(file, end - start, start)
    finally:
        os.close(file)


def record_ends(shard: np.ndarray, offset: np.ndarray, sizes: Sequence[int]) -> np.ndarray:
    """Where records end, in bytes: where the next one begins, or their file ends.

    Args:
        shard: The numbers of their files, in order, `(records,)`.
        offset: Where they begin, int64 `(records,)`.
        sizes: Bytes of every file.
    """
    ends, last = np.roll(offset, -1), np.flatnonzero(np.diff(shard, append=-1))
    ends[last] = np.asarray(sizes, np.int64)[shard[last]]
    return ends


def unframed(framed: bytes) -> bytes:
    """A record's content, of all bytes that it takes in its file.

    Raises:
        DamagedRecordError: If they are not exactly those of a record.
    """
    length = len(framed) - AROUND
    if not _has_length(framed[: HEADER.size]) or HEADER.unpack(framed[: HEADER.size])[0] != length:
        raise DamagedRecordError("the record is damaged: its length is not where it should be")
    record, checksum = framed[HEADER.size : -CHECKSUM.size], framed[-CHECKSUM.size :]
    if CHECKSUM.unpack(checksum)[0] != _masked_crc(record):
        raise DamagedRecordError("the record is damaged: its CRC does not match")
    return record


def find_offsets(path: str | os.PathLike[str]) -> np.ndarray:
    """Where every record of a TFRecord file begins; as `scan`."""
    with open(path, "rb") as file:
        return scan(
            lambda start, end: os.pread(file.fileno(), end - start, start),
            os.path.getsize(path),
            path,
            HEADER.size,
        )


def scan(
    read: Callable[[int, int], bytes], size: int, path: str | os.PathLike[str], block: int
) -> np.ndarray:
    """Where every record of a file begins, by the lengths in front of the records.

    Args:
        read: What gives the bytes of the file from one position to another.
        size: How many there are.
        path: What to call the file.
        block: How many to read at a time, at least `HEADER.size`: what lies between two lengths is
            skipped if it is more.

    Returns:
        Offsets in bytes, int64 `(records,)`.

    Raises:
        ValueError: If the file ends within a record or a length is damaged.
    """
    offsets, position, start, found = [], 0, 0, b""
    while position < size:
        if position + HEADER.size > start + len(found):
            start, found = position, read(position, min(position + block, size))
        header = found[position - start : position - start + HEADER.size]
        length, _ = HEADER.unpack(header) if len(header) == HEADER.size else (size, 0)
        following = position + length + AROUND
        if following > size or not _has_length(header):
            raise ValueError(
                f"{path} is damaged at byte {position} of {size}: the records after it cannot "
                "be found. Copy the file again, or make the records again."
            )
        offsets.append(position)
        position = following
    return np.array(offsets, np.int64)


def write_index(offsets: np.ndarray, size: int) -> bytes:
    """The index of a TFRecord file, as NVIDIA DALI's `tfrecord2idx` writes it.

    Args:
        offsets: Where its records begin, in bytes `(records,)`.
        size: Bytes of the file.

    Returns:
        A line for every record: where it begins, and how many bytes it takes.
    """
    lengths = np.diff(offsets, append=size)
    lines = (f"{offset} {length}\n" for offset, length in zip(offsets, lengths, strict=True))
    return "".join(lines).encode()


def read_index(content: bytes, size: int) -> np.ndarray | None:
    """Where the records of a file begin, of its index, which anybody may have written.

    The records' own checksums show whether they begin there.

    Args:
        content: What `write_index` returned.
        size: Bytes of the file.

    Returns:
        Offsets in bytes, int64 `(records,)`; None if it is no index of a file of that size.
    """
    try:
        numbers = np.array(content.split(), np.int64)
        offsets, lengths = numbers.reshape(-1, 2).T
    except (ValueError, OverflowError):
        return None
    if (lengths < AROUND).any() or (lengths > size).any():
        return None
    ends = np.cumsum(lengths)
    is_whole = (ends > 0).all() and (offsets == ends - lengths).all()  # none beyond int64
    is_whole = is_whole and (ends[-1] if len(ends) else 0) == size
    return np.ascontiguousarray(offsets) if is_whole else None


def _has_length(header):
    """Whether the first bytes of a record hold its length, by their CRC."""
    return len(header) == HEADER.size and HEADER.unpack(header)[1] == _masked_crc(header[:8])


def _masked_crc(data):
    """The CRC-32C of some bytes as TFRecords store it."""
    import google_crc32c  # an extra brings it

    crc = google_crc32c.value(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
