"""Files and folders that appear whole or not at all."""

import os
import pathlib
import subprocess
import sys
import time

import pytest

from keras_ghostnet import files
from keras_ghostnet.files import clear_leftovers, printable, read_text, replacing, size


def write(path, text, folder):
    if folder:
        path.mkdir()
        path = path / "inside"
    path.write_text(text)


def read(path):
    return (path / "inside" if path.is_dir() else path).read_text()


def fail(path, folder, error):
    write(path, "second", folder)
    raise error


@pytest.mark.parametrize("folder", [False, True])
def test_replaces_at_the_end(tmp_path, folder):
    target = tmp_path / "new" / "target"
    for text in ("first", "second"):
        with replacing(target) as partial:
            write(partial, text, folder)
            assert not target.exists() or read(target) == "first"
        assert read(target) == text
    assert [path.name for path in target.parent.iterdir()] == ["target"]


@pytest.mark.parametrize("folder", [False, True])
@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_failure_changes_nothing(tmp_path, folder, error):
    target = tmp_path / "target"
    write(target, "first", folder)
    with pytest.raises(error), replacing(target) as partial:
        fail(partial, folder, error)
    assert read(target) == "first"
    assert [path.name for path in tmp_path.iterdir()] == ["target"]


@pytest.fixture(scope="module")
def dead():
    """The number of a process that is no more."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        pass
    return process.pid


def temporary(process, name, role="partial"):
    """The name that a process of this host takes."""
    return files.temporary_name(name, role).replace(f"-{os.getpid()}-", f"-{process}-", 1)


def test_what_a_killed_process_left_goes(tmp_path, dead):
    write(tmp_path / temporary(dead, "target"), "left", folder=True)
    write(tmp_path / temporary(dead, "target", "previous"), "left", folder=True)
    write(tmp_path / temporary(os.getpid(), "target"), "left", folder=True)
    with replacing(tmp_path / "target") as partial:
        write(partial, "new", folder=True)
    assert [path.name for path in tmp_path.iterdir()] == ["target"]
    assert [path.name for path in (tmp_path / "target").iterdir()] == ["inside"]


def test_what_others_are_writing_stays(tmp_path, dead):
    others = {temporary(os.getppid(), "target"), temporary(dead, "other"), ".partial-my-target"}
    for name in others:
        write(tmp_path / name, "theirs", folder=True)
    with replacing(tmp_path / "target") as partial:
        write(partial, "new", folder=True)
    assert {path.name for path in tmp_path.iterdir()} == others | {"target"}


def test_leftovers_of_any_name_go(tmp_path, dead):
    for name in (
        temporary(dead, "a"),
        temporary(dead, "b.sidecar"),
        temporary(dead, "a", "previous"),
    ):
        write(tmp_path / name, "left", folder=True)
    write(tmp_path / temporary(os.getppid(), "a"), "another's", folder=False)
    clear_leftovers(tmp_path)
    clear_leftovers(tmp_path / "nowhere")
    # What was to be replaced may be the only copy.
    left = {temporary(dead, "a", "previous"), temporary(os.getppid(), "a")}
    assert {path.name for path in tmp_path.iterdir()} == left


def test_another_host_s_leftovers_go_after_a_week(tmp_path, dead, monkeypatch):
    """Whose processes have numbers that mean nothing here."""
    monkeypatch.setattr(files.platform, "node", lambda: "another")
    fresh, old = temporary(dead, "fresh"), temporary(os.getppid(), "old")
    monkeypatch.undo()
    for name, days in ((fresh, 6), (old, 8)):
        write(tmp_path / name, "theirs", folder=True)
        os.utime(tmp_path / name, times=(time.time() - days * 86400,) * 2)
    clear_leftovers(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [fresh]


def test_where_what_is_written_will_be(tmp_path):
    with replacing(tmp_path / "run-1 a") as partial:
        partial.mkdir()
        assert files.final_path(partial / "b.keras") == tmp_path / "run-1 a" / "b.keras"
    for path in (tmp_path / "b.keras", pathlib.Path(".partial"), pathlib.Path("c/.partial-1-a")):
        assert files.final_path(path) == path


def test_temporary_name_keeps_the_suffix(tmp_path):
    with replacing(tmp_path / "a.weights.h5") as partial:
        assert partial.name.endswith(".weights.h5")
        partial.touch()


def test_a_file_does_not_replace_a_folder(tmp_path):
    write(tmp_path / "out.keras", "precious", folder=True)
    with (
        pytest.raises(IsADirectoryError, match=r"out\.keras is a folder"),
        replacing(tmp_path / "out.keras") as partial,
    ):
        write(partial, "new", folder=False)
    assert read(tmp_path / "out.keras") == "precious"
    assert [path.name for path in tmp_path.iterdir()] == ["out.keras"]


@pytest.mark.parametrize("folder", [False, True])
def test_nothing_created(tmp_path, folder):
    if folder:
        write(tmp_path / "target", "first", folder)
    with pytest.raises(FileNotFoundError), replacing(tmp_path / "target"):
        pass
    assert not folder or read(tmp_path / "target") == "first"


def test_size(tmp_path):
    (tmp_path / "a").write_text("four")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "c").write_text("sixsix")
    assert size(tmp_path) == 10
    assert size(tmp_path / "a") == 4


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252", "latin-1"]
)
def test_text_of_any_editor(tmp_path, encoding):
    text = "café\nÜbel\n"
    mark = b"\xff\xfe" if encoding == "utf-16-le" else b""
    (tmp_path / "names.txt").write_bytes(mark + text.encode(encoding))
    assert read_text(tmp_path / "names.txt") == text


@pytest.mark.parametrize("content", [b"PK\3\4\0\0", b"\xff\xfea"])
def test_what_is_no_text_is_refused(tmp_path, content):
    (tmp_path / "names.zip").write_bytes(content)
    with pytest.raises(ValueError, match=r"names\.zip is not a text file"):
        read_text(tmp_path / "names.zip")


def test_a_printable_path():
    assert printable(os.fsdecode(b"photos/caf\xe9 caf\xc3\xa9")) == r"photos/caf\xe9 café"
