"""Content that is no checkpoint, and checkpoints damaged in every place: a clear error, soon."""

import io
import os
import zipfile

import h5py
import numpy as np
import pytest

from keras_ghostnet.weights.readers import hdf5_probe, read_checkpoint
from tests.weights import checkpoint_files as files
from tests.weights.hostile import SMALL, WRITERS, refuse

pytestmark = pytest.mark.usefixtures("in_time")


# --------------------------------------------------------------------------------- common checks

each_writer = pytest.mark.parametrize("writer", WRITERS)


@each_writer
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_not_finite(path, writer, value, dtype):
    bad = {f"bad/{i}:0": np.array([1, value], dtype) for i in range(5)}
    WRITERS[writer](path, SMALL | bad)
    refuse(path, r"NaN or infinity in 5 tensor\(s\): 'bad/0:0', 'bad/1:0', 'bad/2:0'; expected")


def test_complex(path):
    files.write_torch_zip(path, SMALL | {"a/c": np.ones(2, "complex64")})
    refuse(path, "'a/c' of type complex64")


@pytest.mark.parametrize("writer", ["torch zip", "torch legacy", "paddle 2", "safetensors"])
def test_no_tensors(path, writer):
    WRITERS[writer](path, {})
    refuse(path, "no tensors")


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"", "an empty file"),
        (b"epoch, loss\n1, 0.5\n", "unknown content that begins with b'epoch, loss.*safetensors"),
        (b"\n<!DOCTYPE html><html><body>Not found</body>", "an HTML page"),
        (b"version https://git-lfs.example/spec/v1\noid sha256:0\nsize 9\n", "git lfs pull"),
        (b"\x7fELF" + bytes(100), "unknown content"),
        (b"P", "unknown content"),
        (b"PK\x03\x04", "damaged"),
        (b"\x89HDF\r\n\x1a\n", "damaged"),
        (b"\x02\0\0\0\0\0\0\0{}", "no tensors"),
        (b"\x05\0\0\0\0\0\0\0{", "damaged"),
    ],
)
def test_other_content(path, content, match):
    path.write_bytes(content)
    refuse(path, match)


def test_missing_file(path):
    with pytest.raises(FileNotFoundError, match=r"no such file.*safetensors.*Check the path"):
        read_checkpoint(path)


def test_folder(tmp_path):
    with pytest.raises(OSError, match="found a folder; expected one checkpoint file"):
        read_checkpoint(tmp_path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_pipe(path):
    os.mkfifo(path)
    with pytest.raises(OSError, match="no regular file"):
        read_checkpoint(path)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read all")
def test_unreadable_file(path):
    files.write_torch_zip(path, SMALL)
    path.chmod(0)
    with pytest.raises(OSError, match="cannot read the checkpoint"):
        read_checkpoint(path)


# ------------------------------------------------------------------------- every kind of damage

CHECKSUMMED = ("torch zip", "keras archive")


def write_keras_archive(path, tensors):
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        for index, value in enumerate(tensors.values()):
            file[f"layers/dense/vars/{index}"] = value
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("model.weights.h5", buffer.getvalue())


DAMAGED = WRITERS | {"keras archive": write_keras_archive}


def outcome(path, content):
    """Returns the tensors that a damaged file gives, or None for a proper refusal."""
    path.write_bytes(content)
    try:
        tensors = read_checkpoint(path).tensors
    except (ValueError, OSError):
        return None
    for tensor in tensors.values():
        assert isinstance(tensor, np.ndarray)
        assert tensor.nbytes <= len(content)
    return tensors


def same(tensors, others):
    return set(tensors) == set(others) and all(
        np.array_equal(tensors[name], others[name]) for name in others
    )


@pytest.mark.parametrize("writer", DAMAGED)
def test_truncated(path, writer):
    DAMAGED[writer](path, SMALL)
    content, whole = path.read_bytes(), read_checkpoint(path).tensors
    for end in range(0, len(content), max(1, len(content) // 150)):
        tensors = outcome(path, content[:end])
        # HDF5 pads its files: a cut there loses nothing.
        assert tensors is None or (writer == "keras 2" and same(tensors, whole)), end


@pytest.mark.parametrize("writer", DAMAGED)
def test_bits_flipped(path, writer, monkeypatch):
    monkeypatch.setattr(hdf5_probe, "SECONDS", 2)  # one has an attribute without an end
    DAMAGED[writer](path, SMALL)
    content, whole = path.read_bytes(), read_checkpoint(path).tensors
    for position in range(0, len(content), max(1, len(content) // 250)):
        for bit in (0, 5, 7):
            damaged = bytearray(content)
            damaged[position] ^= 1 << bit
            tensors = outcome(path, bytes(damaged))
            if writer in CHECKSUMMED:
                assert tensors is None or same(tensors, whole), (position, bit)


def test_nothing_is_written(path, tmp_path):
    files.write_torch_zip(path, SMALL)
    before = path.read_bytes()
    read_checkpoint(path)
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_bytes() == before
