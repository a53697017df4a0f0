"""Files and folders that appear whole or not at all."""

import codecs
import contextlib
import os
import pathlib
import platform
import re
import shutil
import time
import unicodedata
import zlib
from collections.abc import Iterator
from typing import Any

Path = str | os.PathLike[str]
PROBE = 4096  # bytes
MAX_TEXT = 64 << 20  # bytes of a text file
LONGEST_NAME = 100  # characters
LEFT_SECONDS = 7 * 86400  # after which what another host has not finished is given up
FORMULA = ("=", "+", "-", "@")  # with which spreadsheets begin one


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[pathlib.Path]:
    """A temporary name beside `path`, renamed to `path` at the end if all went well.

    An earlier file or folder of that name stays untouched until then, and for good if the body
    raises or is interrupted. What a killed process left behind is removed at the next attempt. Of
    two processes that write to the same `path`, the one that finishes last wins.

    Args:
        path: Where the file or folder is to be at the end; its parents are created.

    Yields:
        A `pathlib.Path` that does not exist yet, with the suffix of `path`: the body creates
        it, as a file or as a folder.

    Raises:
        FileNotFoundError: If the body created nothing.
        IsADirectoryError: If the body created a file and `path` is a folder, which stays.
    """
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    _clear("partial", path.parent, path.name)
    partial = _beside("partial", path)
    remove(partial)  # of an earlier process of this number
    try:
        yield partial
        _swap(partial, path)
        _clear("previous", path.parent, path.name)  # not earlier: it may be the only one
    finally:
        remove(partial)


def require_writable(folder: Path, option: str = "--out") -> None:
    """Tries a folder before long work: makes it, if need be, and a small file for a moment.

    Args:
        folder: The folder.
        option: What names another on the command line.

    Raises:
        OSError: If it cannot be written to, or is full.
    """
    folder = pathlib.Path(folder).absolute()
    probe = folder / temporary_name("probe")
    made = [part for part in (folder, *folder.parents) if not part.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            with probe.open("wb") as file:
                file.write(bytes(PROBE))
                file.flush()
                os.fsync(file.fileno())
        finally:
            probe.unlink(missing_ok=True)
    except OSError as error:
        raise type(error)(
            f"{printable(folder)} cannot be written to: {error.strerror}. Choose another folder "
            f"({option})."
        ) from error
    finally:
        for part in made:  # work that is refused leaves no empty folder
            with contextlib.suppress(OSError):
                part.rmdir()


def require_place(path: Path, option: str = "--out") -> None:
    """Tries before long work whether a file can be written.

    Args:
        path: The file.
        option: What names another on the command line.

    Raises:
        IsADirectoryError: If there is a folder of that name.
        OSError: If its folder cannot be written to, or is full.
    """
    path = pathlib.Path(path)
    if path.is_dir():
        raise IsADirectoryError(f"{printable(path)} is a folder. Name a file to write ({option}).")
    require_writable(path.parent, option)


def cache(name: str) -> pathlib.Path:
    """A folder in the user's cache, for files that can be recreated.

    Args:
        name: What they are for: a folder's name.
    """
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return pathlib.Path(base).expanduser() / "keras_ghostnet" / name


def remove(path: Path) -> None:
    """Removes a file, or a folder with its contents, if it exists."""
    path = pathlib.Path(path)
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def size(path: Path) -> int:
    """Size in bytes of a file, or of all files in a folder."""
    path = pathlib.Path(path)
    if path.is_dir():
        return sum(part.stat().st_size for part in path.rglob("*") if part.is_file())
    return path.stat().st_size


def _swap(new, path):
    """Replaces `path` by `new`; for a folder that holds files, one rename is not enough."""
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


def temporary_name(name: str, role: str = "partial") -> str:
    """A name that no other process takes, of any host, and that `clear_leftovers` recognizes.

    Args:
        name: At its end.
        role: At its beginning, after a dot.
    """
    return f".{role}-{_host()}-{os.getpid()}-{name}"


def final_path(path: Path) -> pathlib.Path:
    """Where a path is once what `replacing` yields has got its name; the path itself elsewhere."""
    pattern = re.compile(r"\.partial-[0-9a-f]{8}-\d+-(.+)", re.DOTALL)
    return pathlib.Path(*(pattern.sub(r"\1", part) for part in pathlib.Path(path).parts))


def _host():
    """What tells this host from others that share a file system with it."""
    return f"{zlib.crc32(platform.node().encode()):08x}"


def _beside(role, path):
    """A name beside `path` that no other process takes, with the suffix of `path`."""
    return path.with_name(temporary_name(path.name, role))


def clear_leftovers(folder: Path) -> None:
    """Removes what processes that were killed had begun to write into a folder, if there is one.

    Of other hosts, whose processes cannot be seen from here, what is a week old.
    """
    if os.path.isdir(folder):
        _clear("partial", pathlib.Path(folder))


def _clear(role, folder, name=None):
    """Removes what processes that have ended left in a folder, of a name or of all."""
    ending = ".*" if name is None else re.escape(name)
    pattern = re.compile(rf"\.{role}-([0-9a-f]{{8}})-(\d+)-{ending}", re.DOTALL)
    for entry in list(folder.iterdir()):
        match = pattern.fullmatch(entry.name)
        with contextlib.suppress(OSError):  # another process may be removing it as well
            if match and _is_left(entry, match[1], int(match[2])):
                remove(entry)


def _is_left(path, host, process):
    """Whether nobody writes to a temporary file or folder any more."""
    if host == _host():
        return not _is_alive(process)
    return time.time() - path.lstat().st_mtime > LEFT_SECONDS


def _is_alive(process):
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # another user's
        return True
    return True


def printable(text: Path, limit: int | None = None) -> str:
    """A text or path in one line for any terminal, file and picture.

    Characters that control a terminal or the direction of the text, line breaks and bytes of paths
    that are not UTF-8 become escapes, such as `\\x1b`.

    Args:
        text: Anything from outside: a name of a class, layer or file, a message.
        limit: The number of characters to cut it to; None leaves it whole.
    """
    text = os.fsdecode(text)
    if limit is not None and len(text) > limit:
        text = f"{text[: limit - 1]}\N{HORIZONTAL ELLIPSIS}"
    return text if text.isprintable() else "".join(map(_visible, text))


def printable_lines(value: object) -> object:
    """A value of a page: of text, each line is made `printable`."""
    if type(value) is not str:  # markup is our own
        return value
    return "\n".join(map(printable, value.split("\n")))


def _visible(character):
    hidden = unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp")
    if not hidden or character in "\u200c\u200d":  # which join letters and emojis
        return character
    if "\udc80" <= character <= "\udcff":  # a byte of a path
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape").decode()


def file_name(text: str) -> str:
    """What becomes a file's name of a text from outside, such as a model's name.

    Letters and digits of ASCII, `.`, `_` and `-` stay, anything else becomes `_`; it begins with a
    letter or digit. So it has no folders in it, is neither `..` nor hidden nor an option, and any
    file system and TensorFlow take it.

    Args:
        text: Of which the first 100 characters are taken.
    """
    name = re.sub(r"[^A-Za-z0-9._-]", "_", text[:LONGEST_NAME])
    return name.lstrip("._-") or "unnamed"


def cell(value: object) -> object:
    """A cell of a CSV file that no spreadsheet takes for a formula: such a text gets a quote.

    Args:
        value: A number, which stays, or text, which is made `printable`.
    """
    if not isinstance(value, str):
        return value
    text = printable(value)
    return f"'{text}" if text.startswith(FORMULA) else text


def from_cell(text: str) -> str:
    """The text that `cell` made a cell of."""
    return text[1:] if text.startswith(tuple(f"'{begin}" for begin in FORMULA)) else text


def read_text(path: Path) -> str:
    """The text of a file that a person may have written, with whatever editor.

    The file may also be one that only looks like a `pathlib.Path`, in a store.

    UTF-8 with or without a byte-order mark, UTF-16 with one, and anything else as Windows-1252, a
    superset of Latin-1.

    Raises:
        OSError: If it cannot be read.
        ValueError: If it is no regular file of at most 64 MiB, or not text.
    """
    file: Any = path if hasattr(path, "read_bytes") else pathlib.Path(path)
    if file.exists() and not file.is_file():
        raise ValueError(f"{printable(path)} is no regular file; a text file is expected.")
    if file.exists() and (count := file.stat().st_size) > MAX_TEXT:
        raise ValueError(
            f"{printable(path)} has {count} bytes; a text file of at most {MAX_TEXT >> 20} MiB is "
            "expected."
        )
    content = file.read_bytes()
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encodings = ["utf-16"]
    else:
        encodings = ["utf-8-sig", "cp1252", "latin-1"]
    for encoding in encodings:
        with contextlib.suppress(UnicodeDecodeError):
            text = content.decode(encoding)
            if "\0" not in text:
                return text
    raise ValueError(f"{printable(path)} is not a text file: it holds bytes of no known encoding.")


def absolute(path: Path) -> str:
    """The absolute path of a file or folder that is there, a text; any other text as it is.

    For what is to be found again from another folder, and may be a name, such as `digits`.
    """
    path = os.path.expanduser(path)
    return os.path.abspath(path) if os.path.exists(path) else str(path)
