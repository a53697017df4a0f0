"""A share of `make test-hostile`: mutated files, of the kinds that are read within a process."""

import os
import pathlib
import signal
import zipfile

import pytest

from keras_ghostnet.model_file import load_model
from keras_ghostnet.weights.readers import hdf5_probe, read_checkpoint
from tests.hostile import mutations
from tests.hostile.cases import outcome, prepare
from tests.hostile.kinds import KINDS

# Those that run in processes of their own; a folder is verified whole for each sidecar.
APART = (
    *("a sidecar", "model.h5", "file.tflite", "file.onnx", "file.mnn"),
    *("model.bin", "model.json", "model.param", "model.xml", "saved_model.pb"),
)
CASES = 25


@pytest.mark.parametrize("name", [name for name in KINDS if name not in APART])
def test_mutated_files_are_refused_in_a_line_or_read(name, tmp_path):
    path = prepare(name, tmp_path)
    found = [outcome(name, path, f"share {number}") for number in range(CASES)]
    assert not [each for each in found if each.startswith("FAULT")]


@pytest.fixture(scope="module")
def crashing(tmp_path_factory):
    """Content at which HDF5's library crashes: the text of an attribute lies outside of memory."""
    path = prepare("model.h5", tmp_path_factory.mktemp("sound"))
    assert outcome("model.h5", path, 424) in ("refused", "read")
    return mutations.mutate(path.read_bytes(), "model.h5 425")


def within_archive(path, content):
    """The file, whose weights are replaced if it is an archive."""
    if path.suffix != ".keras":
        path.write_bytes(content)
        return path
    changed = path.with_name("changed.keras")
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(changed, "w") as new:
        for name in old.namelist():
            new.writestr(name, content if name.endswith(".h5") else old.read(name))
    return changed


@pytest.mark.parametrize("name", ["model.h5", "model.keras", "weights.weights.h5"])
def test_hdf5_s_library_crashes_elsewhere(name, crashing, tmp_path):
    """And what is sound is read after that."""
    path = prepare(name, tmp_path)
    sound, read = path.read_bytes(), read_checkpoint if name.startswith("weights") else load_model
    changed = within_archive(path, crashing)
    with pytest.raises(ValueError, match="HDF5's library crashes at it"):
        read(changed)
    path.write_bytes(sound)
    read(path)


def test_what_hdf5_s_library_never_ends_to_read(tmp_path, monkeypatch):
    path = prepare("model.h5", tmp_path)
    monkeypatch.setattr(hdf5_probe, "SECONDS", 0.2)
    reader = hdf5_probe._start()
    os.kill(reader.pid, signal.SIGSTOP)  # a limit of its own ends it if this process is gone
    with pytest.raises(ValueError, match=r"takes more than 0\.2 s"):
        load_model(path)


def test_a_reader_that_nobody_ends_ends_itself(tmp_path):
    path = prepare("model.h5", tmp_path)
    load_model(path)
    limits = pathlib.Path(f"/proc/{hdf5_probe._start().pid}/limits").read_text().splitlines()
    (seconds,) = (line.split()[3] for line in limits if line.startswith("Max cpu time"))
    assert hdf5_probe.SECONDS <= int(seconds) < 10 * hdf5_probe.SECONDS
