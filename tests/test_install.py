"""What `make install` says while uv works, and that pip takes over."""

import os
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


def run(folder, *arguments, **environment):
    """The exit code, and what is printed."""
    done = subprocess.run(
        [sys.executable, install.__file__, "--no-index", "--target", folder / "site", *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stdout.splitlines(), done.stderr


@pytest.fixture
def three(tmp_path):
    """A folder of wheels."""
    write_wheel(tmp_path, "one", ["two", "three"])
    write_wheel(tmp_path, "two")
    write_wheel(tmp_path, "three")
    return tmp_path


def test_what_is_installed_is_counted(three):
    code, lines, errors = run(three, "one", UV_FIND_LINKS=str(three))
    assert (code, errors) == (0, "")
    assert lines[-1].startswith("installed 3 packages in ")
    assert {"one.py", "two.py", "three.py"} <= set(os.listdir(three / "site"))


def test_what_is_installed_is_compiled(three):
    run(three, "two", UV_FIND_LINKS=str(three), PYTHONDONTWRITEBYTECODE="1")
    assert list((three / "site" / "__pycache__").glob("two.*.pyc"))


def test_one_package_and_none(tmp_path):
    """Targets of make install what they need beside each time; mostly it is there."""
    write_wheel(tmp_path, "one")
    _, lines, _ = run(tmp_path, "one", UV_FIND_LINKS=str(tmp_path))
    assert lines[-1].startswith("installed 1 package in ")
    done = subprocess.run(
        [sys.executable, install.__file__, "--no-index", "pytest"], capture_output=True, text=True
    )
    assert done.stdout.splitlines()[-1].startswith("all packages were there, ")


def test_pip_takes_over_with_its_settings(three):
    code, lines, _ = run(three, "one", PIP_FIND_LINKS=str(three))
    assert code == 0
    assert any("one was not found" in line for line in lines)
    assert "Trying pip" in lines[-1]
    assert {"one.py", "two.py", "three.py"} <= set(os.listdir(three / "site"))


def test_why_it_fails(tmp_path):
    write_wheel(tmp_path, "one", ["nothing_of_that_name"])
    places = {name: str(tmp_path) for name in ("UV_FIND_LINKS", "PIP_FIND_LINKS")}
    code, lines, errors = run(tmp_path, "one", **places)
    assert code == 1
    assert lines[0] == "uv failed:"
    assert any("nothing-of-that-name was not found" in line for line in lines)
    assert "No matching distribution found for nothing_of_that_name" in errors


UV = """
import sys
print('''Resolved 3 packages in 1.20s
   Building keras-ghostnet @ file:///here
Downloading tensorflow (591.8MiB)
Downloading h5py (4608.0KiB)
 Downloaded h5py
 Downloaded tensorflow
Prepared 3 packages in 24.89s
Uninstalled 1 package in 64ms
Installed 3 packages in 1.44s
Bytecode compiled 13372 files in 17.43s
 - h5py==3.1
 + h5py==3.2
 + keras-ghostnet==1.0 (from file:///here)
 + tensorflow==2.21.0''', file=sys.stderr)
"""


def test_what_it_is_at(monkeypatch, capsys):
    monkeypatch.setattr(install, "UV", [sys.executable, "-c", UV])
    monkeypatch.setattr(install, "QUIET", 0)
    assert install.install(["tensorflow"]) == 0
    *lines, last = capsys.readouterr().out.splitlines()
    assert lines == [
        "1 of 2: fetched 0 of 592 MiB, on its way tensorflow",
        "1 of 2: fetched 0 of 596 MiB, on its way tensorflow",
        "1 of 2: fetched 4 of 596 MiB, on its way tensorflow",
        "1 of 2: fetched 596 of 596 MiB",
        "2 of 2: installing 3 packages",
        "2 of 2: compiling 3 packages",
    ]
    assert last.startswith("installed 3 packages in ")
