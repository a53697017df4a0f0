"""Names of functions, against binutils."""

import shutil
import subprocess

import pytest

from keras_ghostnet.benchmark.arm.symbols import Symbols

SOURCE = """
static __attribute__((noinline)) int hidden(int x) { return x * 3 + 1; }
int shown(int x) { return hidden(x) - 7; }
"""

needs_compiler = pytest.mark.skipif(
    not all(map(shutil.which, ("cc", "nm", "strip"))), reason="needs a C compiler and binutils"
)


@pytest.fixture
def library(tmp_path):
    source, library = tmp_path / "source.c", tmp_path / "library.so"
    source.write_text(SOURCE)
    subprocess.run(["cc", "-O1", "-shared", "-fPIC", "-o", library, source], check=True)
    return library


def addresses(library):
    """What `nm` says: code lies in the file at its address, as GNU's linker lays it."""
    lines = subprocess.run(["nm", library], capture_output=True, text=True, check=True).stdout
    rows = [line.split() for line in lines.splitlines()]
    return {row[2]: int(row[0], 16) for row in rows if len(row) == 3}


@needs_compiler
def test_names(library):
    symbols = Symbols(library)
    found = addresses(library)
    for name in ("hidden", "shown"):
        assert symbols.name(found[name]) == name
        assert symbols.name(found[name] + 1) == name
    assert symbols.name(library.stat().st_size + 1) is None


@needs_compiler
def test_a_stripped_library_names_what_it_exports(library):
    found = addresses(library)
    subprocess.run(["strip", library], check=True)
    symbols = Symbols(library)
    assert symbols.name(found["shown"]) == "shown"
    assert symbols.name(found["hidden"]) is None


def test_what_is_no_library(tmp_path):
    path = tmp_path / "text"
    path.write_text("text")
    assert Symbols(path).name(0) is None
    assert Symbols(tmp_path / "none").name(0) is None
