"""What `make install` says while pip works."""

import os
import pathlib
import subprocess
import sys
import zipfile

import pytest

import install


def write_wheel(folder, name, requires=()):
    info = f"{name}-1.0.dist-info"
    required = "".join(f"Requires-Dist: {each}\n" for each in requires)
    with zipfile.ZipFile(folder / f"{name}-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{name}.py", "")
        wheel.writestr(
            f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n{required}"
        )
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\nRoot-Is-Purelib: true\n"
        )
        wheel.writestr(f"{info}/RECORD", "")


def run(folder, *arguments):
    """What is printed; the index is one that pip warns of."""
    done = subprocess.run(
        [sys.executable, install.__file__, "--no-index", "--target", folder / "site", *arguments],
        env={**os.environ, "PIP_FIND_LINKS": f"{folder} {folder / 'nowhere'}"},
        capture_output=True,
        text=True,
    )
    assert done.stderr == ""
    return done.returncode, done.stdout.splitlines()


def test_what_is_installed_is_counted(tmp_path):
    write_wheel(tmp_path, "one", ["two", "three"])
    write_wheel(tmp_path, "two")
    write_wheel(tmp_path, "three")
    code, lines = run(tmp_path, "one")
    assert code == 0
    assert lines[0].startswith("2 of 2: installed ")  # nothing had to be fetched
    assert lines[-1].startswith("installed 3 packages in ")
    assert not any("WARNING" in line for line in lines)
    assert {"one.py", "two.py", "three.py"} <= set(os.listdir(tmp_path / "site"))


def test_one_package_and_none(tmp_path):
    """Targets of make install what they need beside each time; mostly it is there."""
    write_wheel(tmp_path, "one")
    _, lines = run(tmp_path, "one")
    assert lines[-1].startswith("installed 1 package in ")
    done = subprocess.run(
        [sys.executable, install.__file__, "--no-index", "pytest"], capture_output=True, text=True
    )
    assert done.stdout.splitlines()[-1].startswith("all packages were there, ")


def test_why_it_fails(tmp_path):
    write_wheel(tmp_path, "one", ["nothing_of_that_name"])
    code, lines = run(tmp_path, "one")
    assert code == 1
    assert "pip failed:" in lines
    assert any("No matching distribution found for nothing_of_that_name" in x for x in lines)
    assert not any("WARNING" in line for line in lines)


PIP = """
import pathlib, sys, time
place = pathlib.Path(sys.argv[1])
print("WARNING: Location 'nowhere' is ignored", file=sys.stderr, flush=True)
print("Collecting tensorflow>=2.18", flush=True)
print("  Downloading https://x/ab/tensorflow-2.21.0-cp311-manylinux.whl (620.7 MB)", flush=True)
time.sleep(0.3)
print("Collecting h5py", flush=True)
print("  Using cached h5py-3.1-cp311.whl (4.5 MB)", flush=True)
time.sleep(0.3)
print("Installing collected packages: h5py, tensorflow", flush=True)
for name in ("h5py", "tensorflow"):
    (place / f"{name}-1.dist-info").mkdir()
    time.sleep(0.3)
print("Successfully installed h5py-3.1 tensorflow-2.21.0")
"""


@pytest.fixture
def slow_pip(monkeypatch, tmp_path):
    """A pip of two packages; every line is printed as to a terminal."""
    (tmp_path / "old-1.dist-info").mkdir()
    popen = subprocess.Popen

    def start(command, **settings):
        return popen([sys.executable, "-c", PIP, str(tmp_path)], **settings)

    monkeypatch.setattr(subprocess, "Popen", start)
    monkeypatch.setattr(install, "TICK", 0.05)
    monkeypatch.setattr(install, "QUIET", 0)


def test_what_it_is_at(slow_pip, tmp_path, capsys):
    assert install.install(["tensorflow"], pathlib.Path(tmp_path)) == 0
    *lines, last = capsys.readouterr().out.splitlines()
    said = [
        "1 of 2: fetching, 1 package so far",
        "1 of 2: fetching, 1 package so far, last tensorflow (620.7 MB)",
        "1 of 2: fetching, 2 packages so far, last tensorflow (620.7 MB)",
        "1 of 2: fetching, 2 packages so far, last h5py (4.5 MB)",
        "2 of 2: installed 0 of 2 packages",
        "2 of 2: installed 1 of 2 packages",
        "2 of 2: installed 2 of 2 packages",
    ]
    assert lines == [text for text in said if text in lines]  # a loaded machine may leave some out
    assert {said[1], said[3], said[-1]} <= set(lines)
    assert last.startswith("installed 2 packages in ")
