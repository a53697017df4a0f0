"""Files and folders that appear whole or not at all."""

import pytest

from keras_ghostnet.files import replacing, size


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


def test_what_a_killed_process_left_goes(tmp_path):
    write(tmp_path / ".partial-target", "left", folder=True)
    with replacing(tmp_path / "target") as partial:
        write(partial, "new", folder=True)
    assert [path.name for path in tmp_path.iterdir()] == ["target"]
    assert [path.name for path in (tmp_path / "target").iterdir()] == ["inside"]


def test_nothing_created(tmp_path):
    with pytest.raises(FileNotFoundError), replacing(tmp_path / "target"):
        pass


def test_size(tmp_path):
    (tmp_path / "a").write_text("four")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "c").write_text("sixsix")
    assert size(tmp_path) == 10
    assert size(tmp_path / "a") == 4
