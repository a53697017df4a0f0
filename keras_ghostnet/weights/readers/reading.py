"""From a path to a `Checkpoint`: identify the format by its contents, read, check, or refuse.

The one place where whatever goes wrong in a library below becomes an error that names the file.
"""

import contextlib
import os
import re

from keras_ghostnet.weights.readers import (
    archives,
    hdf5_file,
    paddle_file,
    safetensors_file,
    shards,
    torch_file,
)
from keras_ghostnet.weights.readers.checkpoint import (
    FORMATS,
    Checkpoint,
    CheckpointError,
    checked_tensors,
    refusal,
    shown,
)

# Components of names that programs add around a network or a part of it: DataParallel and
# DistributedDataParallel, torch.compile, FSDP, activation checkpointing, Paddle's DataParallel.
_WRAPPERS = re.compile(
    r"(?<![^./])(?:module|_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module|_layers)\."
)
_SHOWN = 3
_HEAD = 512
_HTML_STARTS = (b"<!doctype html", b"<html", b"<head", b"<?xml")
_LFS_START = b"version https://git-lfs"


def read_checkpoint(path):
    """Reads a checkpoint of any supported format, in one file or in several.

    The format is identified by what the file holds. Nothing that the file names is imported or
    run, nothing is written, and neither PyTorch, Paddle, TensorFlow nor Keras is needed.

    Args:
        path: The file: one of the formats of `checkpoint.FORMATS`; of a checkpoint in several
            files, the index or any of them (`shards.find_shards`).

    Returns:
        A `Checkpoint` with every tensor of the network, under its name without the wrappers of
        training programs (`module.`, `_orig_mod.`); optimizer state is left out.

    Raises:
        FileNotFoundError: If there is no such file.
        OSError: If the file cannot be opened or read.
        ValueError: If the file is of no known format, is damaged, asks for code to be run, or
            holds something that cannot be a network's weights; if one of several files is
            missing. Nothing is returned then.
    """
    path = os.fspath(path)
    _check_path(path)
    with _explained(path):
        parts = shards.find_shards(path) or shards.Shards((path,))
    tensors, formats, announced = {}, {}, set(parts.tensors)
    for file in parts.files:
        with _explained(file), open(file, "rb") as opened:
            size = os.fstat(opened.fileno()).st_size
            formats[file], found = _read(opened, size)
            for name, array in checked_tensors(found, size).items():
                short = _WRAPPERS.sub("", name)
                if short in tensors:
                    raise refusal(f"tensor {shown(short)} twice", "each tensor once")
                tensors[short] = array
                announced.discard(name)
    with _explained(path):
        if announced:
            names = ", ".join(shown(name) for name in sorted(announced)[:_SHOWN])
            raise refusal(
                f"{len(announced)} tensor(s) of the index in none of its files: {names}",
                "every tensor that the index lists",
            )
        if len(set(formats.values())) > 1:
            raise refusal(f"files of the formats {sorted(set(formats.values()))}", "one format")
    return Checkpoint(path, formats[parts.files[0]], tensors, parts.files, parts.index)


@contextlib.contextmanager
def _explained(path):
    """Turns what any library raises while a file is read into an error that names the file."""
    try:
        yield
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from error
    except OSError as error:
        if error.errno is not None:
            reason = f"cannot read the checkpoint: {error.strerror}"
            raise OSError(error.errno, reason, path) from error
        raise _damaged(path, error) from error
    except Exception as error:  # zipfile, zlib, struct, h5py, NumPy, ... each have their own
        raise _damaged(path, error) from error


def _check_path(path):
    if not os.path.lexists(path):
        raise FileNotFoundError(
            f"{path}: no such file. Expected a checkpoint: {_known_formats()}. Check the path; "
            "a downloaded file may lie in the downloads folder of your browser."
        )
    if os.path.isdir(path):
        raise IsADirectoryError(
            f"{path}: found a folder; expected one checkpoint file. Give the path of the file "
            "inside it (a TensorFlow SavedModel folder is not supported)."
        )
    if not os.path.isfile(path):
        raise OSError(f"{path}: found no regular file; expected a checkpoint. Copy it to a file.")


def _read(file, size):
    """Returns the name of the format and the tensors of an open file."""
    head = file.read(_HEAD)
    file.seek(0)
    if not head:
        raise refusal("an empty file", _known_formats())
    if head.startswith(hdf5_file.SIGNATURE):
        return hdf5_file.read(file, size)
    if head.startswith(archives.SIGNATURES):
        return _read_archive(file, size)
    if torch_file.is_stream(head):
        return "torch", torch_file.read_stream(file)
    if paddle_file.is_pickle(head):
        return "paddle", paddle_file.read(file)
    if safetensors_file.is_safetensors(head):
        return "safetensors", safetensors_file.read(file)
    raise _unknown(head)


def _read_archive(file, size):
    with archives.Archive(file, size) as archive:
        if hdf5_file.ARCHIVE_MEMBER in archive.names:
            return "keras3_archive", hdf5_file.read_archive(archive)
        if torch_file.pickle_member(archive.names):
            return "torch", torch_file.read_archive(archive)
        members = ", ".join(shown(name, 40) for name in sorted(archive.names)[:5])
        raise refusal(
            f"a zip archive of other content (members: {members or 'none'})",
            f"NAME/data.pkl of PyTorch or {hdf5_file.ARCHIVE_MEMBER} of Keras in it",
            "If the checkpoint was packed into a zip, unpack it first.",
        )


def _unknown(head):
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith(_HTML_STARTS):
        found = "an HTML page saved under the checkpoint's name"
        advice = "Download the file itself, not the page about it (look for a 'raw' link)."
    elif head.startswith(_LFS_START):
        found = "a Git-LFS pointer, which stands for a file that was not downloaded"
        advice = "Run `git lfs pull` in that repository, or download the file directly."
    else:
        found = f"unknown content that begins with {shown(head[:16])}"
        advice = "Check that this is the checkpoint, complete and not packed in another archive."
    return refusal(found, _known_formats(), advice)


def _damaged(path, error):
    text = shown(str(error), 200)
    return CheckpointError(
        f"{path}: the file is damaged or incomplete ({type(error).__name__}: {text}); expected "
        f"{_known_formats()}. Download or save it again and compare its size and checksum."
    )


def _known_formats():
    return "one of: " + "; ".join(FORMATS.values())
