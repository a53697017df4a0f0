"""A share of `make test-hostile`: mutated files, of the kinds that are read within a process."""

import pytest

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


@pytest.mark.parametrize("seed", [424, 425])
def test_hdf5_s_library_crashes_elsewhere(seed, tmp_path):
    """At the text of an attribute that lies outside of memory, as the second case has it."""
    path = prepare("model.h5", tmp_path)
    assert outcome("model.h5", path, seed) in ("refused", "read")
