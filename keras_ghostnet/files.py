"""Files and folders that appear whole or not at all."""

import contextlib
import os
import pathlib
import shutil


@contextlib.contextmanager
def replacing(path):
    """A temporary name beside `path`, renamed to `path` at the end if all went well.

    An earlier file or folder of that name stays untouched until then, and for good if the body
    raises or is interrupted. What a killed process left behind goes at the next attempt.

    Args:
        path: Where the file or folder is to be in the end; its parents are created.

    Yields:
        A `pathlib.Path` that does not exist yet, with the suffix of `path`: the body creates
        it, as a file or as a folder.

    Raises:
        FileNotFoundError: If the body created nothing.
    """
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".partial-{path.name}")
    remove(partial)
    try:
        yield partial
        _swap(partial, path)
    finally:
        remove(partial)


def remove(path):
    """Removes a file or a folder with all it holds; nothing if there is none."""
    path = pathlib.Path(path)
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def size(path):
    """Bytes of a file, or of all files in a folder."""
    path = pathlib.Path(path)
    if path.is_dir():
        return sum(part.stat().st_size for part in path.rglob("*") if part.is_file())
    return path.stat().st_size


def _swap(new, path):
    """Puts `new` in the place of `path`, which a rename alone cannot do to a filled folder."""
    if not path.is_dir():
        os.replace(new, path)
        return
    old = path.with_name(f".previous-{path.name}")
    remove(old)
    os.replace(path, old)
    try:
        os.replace(new, path)
    except OSError:
        os.replace(old, path)
        raise
    remove(old)
