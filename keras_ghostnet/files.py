"""Files and folders that appear whole or not at all."""

import codecs
import contextlib
import os
import pathlib
import re
import shutil


@contextlib.contextmanager
def replacing(path):
    """A temporary name beside `path`, renamed to `path` at the end if all went well.

    An earlier file or folder of that name stays untouched until then, and for good if the body
    raises or is interrupted. What a killed process left behind goes at the next attempt. Of
    two processes that write to the same `path`, the one that ends last wins.

    Args:
        path: Where the file or folder is to be in the end; its parents are created.

    Yields:
        A `pathlib.Path` that does not exist yet, with the suffix of `path`: the body creates
        it, as a file or as a folder.

    Raises:
        FileNotFoundError: If the body created nothing.
        IsADirectoryError: If the body created a file and `path` is a folder, which stays.
    """
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    _clear("partial", path)
    partial = _beside("partial", path)
    remove(partial)  # of an earlier process of this number
    try:
        yield partial
        _swap(partial, path)
        _clear("previous", path)  # not earlier: it may be the only one
    finally:
        remove(partial)


def cache(name):
    """The folder for files of a kind that can be made again, in the user's cache.

    Args:
        name: What they are for: a folder's name.
    """
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return pathlib.Path(base).expanduser() / "keras_ghostnet" / name


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
    if new.is_file():
        raise IsADirectoryError(
            f"{path} is a folder, which a file does not replace. Choose another name, or remove it."
        )
    old = _beside("previous", path)
    remove(old)
    os.replace(path, old)
    try:
        os.replace(new, path)
    except OSError:
        os.replace(old, path)
        raise
    remove(old)


def _beside(role, path):
    """A name beside `path` that no other process takes, with the suffix of `path`."""
    return path.with_name(f".{role}-{os.getpid()}-{path.name}")


def _clear(role, path):
    """Removes what processes that are no more left beside `path`."""
    pattern = re.compile(rf"\.{role}-(\d+)-{re.escape(path.name)}")
    for entry in list(path.parent.iterdir()):
        match = pattern.fullmatch(entry.name)
        if match and not _is_alive(int(match[1])):
            with contextlib.suppress(OSError):  # another process may be removing it as well
                remove(entry)


def _is_alive(process):
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # it is somebody else's
        return True
    return True


def printable(path):
    """A path as text that any terminal and file takes: bytes that are no UTF-8 as `\\xe9`."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def read_text(path):
    """The text of a file that a person may have written, with whatever editor.

    UTF-8 with or without a byte-order mark, UTF-16 with one, and what is none of these as
    Windows-1252, which is Latin-1 and more.

    Raises:
        OSError: If it cannot be read.
        ValueError: If it is no text.
    """
    content = pathlib.Path(path).read_bytes()
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encodings = ("utf-16",)
    else:
        encodings = ("utf-8-sig", "cp1252", "latin-1")
    for encoding in encodings:
        with contextlib.suppress(UnicodeDecodeError):
            text = content.decode(encoding)
            if "\0" not in text:
                return text
    raise ValueError(f"{printable(path)} is no text file: it holds bytes of no known encoding.")
