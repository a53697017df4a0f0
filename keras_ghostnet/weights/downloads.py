"""Files from the network: limited, compared with a hash, and only then at their place."""

import contextlib
import hashlib
import os
import pathlib
import stat
import tempfile
from collections.abc import Callable

CHUNK = 2**20  # bytes
TIMEOUT = 60  # seconds without a byte
MAX_BYTES = 512 * 2**20  # of a file of weights; three times the largest
RECORD = ".sha256"  # the hash that was received first, beside a file whose source publishes none


class HashError(ValueError):
    """A file is not the one that its source publishes, or that was received before."""


def cache() -> pathlib.Path:
    """Keras' folder for downloaded weights; another only if `KERAS_HOME` names it."""
    home = os.environ.get("KERAS_HOME") or "~/.keras"
    return pathlib.Path(home).expanduser() / "models"


def download(
    url: str,
    path: pathlib.Path,
    published: str | None,
    max_bytes: int,
    progress: Callable[[int, int | None], None] = lambda done, total: None,
) -> str | None:
    """Downloads a file unless it is there, as it was published or received before.

    It arrives under a temporary name of its own, and is renamed once it is whole and its hash is
    the published one, or that of its first download. Links at the file's place are not followed.

    Args:
        url: Where it is.
        path: Where it is to be.
        published: `"md5:..."` or `"sha256:..."`; None compares with what was received first.
        max_bytes: The largest file that is taken.
        progress: Function of the bytes that are done and, if the server says so, of all.

    Returns:
        The SHA-256 of a file whose source publishes none, when it was received for the first time;
        else None.

    Raises:
        HashError: If the file, in its place or downloaded, has another hash.
        ValueError: If it is larger, or is sent unencrypted by way of a redirection.
        OSError: If it cannot be downloaded or written.
    """
    record = path.with_name(path.name + RECORD)
    expected = published or (f"sha256:{record.read_text().strip()}" if _is_file(record) else None)
    if _is_file(path):
        with open(path, "rb") as file:
            digest = hashlib.file_digest(file, _algorithm(expected)).hexdigest()
        if expected is None:  # of a version that kept no record
            with contextlib.suppress(OSError):
                _record(record, digest)
        if _agrees(digest, expected):
            return None
        if published is None:
            raise HashError(
                f"{path} is not the file that was downloaded: its SHA-256 differs from the one in "
                f"{record.name}. It was changed, or is cut off: delete {path} to download it again."
            )
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(path.suffix, ".download-", path.parent)  # exclusive
    try:
        with os.fdopen(handle, "wb") as file:
            digest = _receive(url, file, _algorithm(expected), max_bytes, progress)
        if not _agrees(digest, expected):
            first = (
                f"the published hash {published}"
                if published
                else f"the hash of its first download, {expected}"
            )
            advice = "" if published else f" If its source has replaced it, delete {record}."
            raise HashError(
                f"The download of {url} has not {first}: it is incomplete or was altered. Nothing "
                f"was loaded; try again later.{advice}"
            )
        os.chmod(name, 0o644)
        if path.is_symlink() or not path.is_dir():
            os.replace(name, path)
        else:
            raise IsADirectoryError(f"{path} is a folder. Remove it.")
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)
    if expected is None:
        _record(record, digest)
        return digest
    return None


def _receive(url, file, algorithm, max_bytes, progress):
    """Writes what a server sends to an open file; returns its hash."""
    import http.client  # not at the head of this file: most uses need no network
    import urllib.request

    digest, done = hashlib.new(algorithm), 0
    with (
        _as_os_errors(http.client.HTTPException),
        urllib.request.urlopen(url, timeout=TIMEOUT) as response,
    ):
        if url.startswith("https:") and not response.url.startswith("https:"):
            raise ValueError(f"{url} redirects to {response.url}, which is not encrypted.")
        total = response.headers.get("Content-Length")
        total = int(total) if total and total.isdigit() else None
        while chunk := response.read(CHUNK):
            done += len(chunk)
            if done > max_bytes or (total or 0) > max_bytes:
                raise ValueError(
                    f"{url} sends {max(done, total or 0):,} bytes or more, where at most "
                    f"{max_bytes:,} are expected. Nothing was kept."
                )
            digest.update(chunk)
            file.write(chunk)
            progress(done, total)
    if total is not None and done != total:
        raise OSError(f"{done:,} of {total:,} bytes arrived")
    return digest.hexdigest()


@contextlib.contextmanager
def _as_os_errors(kind):
    """Turns what is raised of a kind into `OSError`."""
    try:
        yield
    except kind as error:
        raise OSError(f"{type(error).__name__}: {error}") from error


def _record(path, digest):
    path.unlink(missing_ok=True)  # a link, which is not followed
    with open(path, "x") as file:
        file.write(digest + "\n")


def _algorithm(expected):
    return expected.partition(":")[0] if expected else "sha256"


def _agrees(digest, expected):
    return expected is None or digest == expected.partition(":")[2]


def _is_file(path):
    """Whether a path is a regular file itself, and no link to one."""
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return False
