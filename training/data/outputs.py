"""Where files are written one after the other: a folder, or a place in a store."""

from __future__ import annotations

import contextlib
import os
import pathlib
import tempfile
from collections.abc import Iterator

from keras_ghostnet import files, stores
from keras_ghostnet.training.data.objects import Objects


class FolderOutput:
    """A folder of a disk.

    Args:
        folder: The folder; it need not exist.

    Attributes:
        place: What to call it.
        is_stored: Whether a file can only be read back by asking for it again.
    """

    is_stored = False

    def __init__(self, folder: str | os.PathLike[str]):
        self.folder, self.place = pathlib.Path(folder), files.printable(folder)

    def require_writable(self) -> None:
        """Tries before long work whether it can be written to."""
        files.require_writable(self.folder, "OUT")

    def is_empty(self) -> bool:
        """Whether nothing lies there."""
        return not self.folder.exists() or not any(self.folder.iterdir())

    def read_text(self, name: str) -> str | None:
        """A file's text; None if there is no such file."""
        path = self.folder / name
        return files.read_text(path) if path.exists() else None

    def write(self, name: str, content: bytes) -> None:
        """Writes a file whole, or not at all."""
        with files.replacing(self.folder / name) as partial:
            partial.write_bytes(content)

    @contextlib.contextmanager
    def placing(self, name: str) -> Iterator[pathlib.Path]:
        """A path to write a file at, which has its name here once the body is through."""
        with files.replacing(self.folder / name) as partial:
            yield partial

    def sizes(self) -> dict[str, int]:
        """Bytes of every file by name."""
        return {path.name: path.stat().st_size for path in self.folder.iterdir()}


class StoredOutput:
    """A place in a store, as `FolderOutput`; files are written to this machine first.

    Args:
        url: Its URL.
    """

    is_stored = True

    def __init__(self, url: str):
        self.objects, self.place = Objects(url), files.printable(url)

    def require_writable(self) -> None:
        stores.require_writable(self.objects.url, "OUT")

    def is_empty(self) -> bool:
        return not self.sizes()

    def read_text(self, name: str) -> str | None:
        try:
            return self.objects.read(name).decode()
        except FileNotFoundError:
            return None

    def write(self, name: str, content: bytes) -> None:
        self.objects.write(name, content)

    @contextlib.contextmanager
    def placing(self, name: str) -> Iterator[pathlib.Path]:
        with tempfile.TemporaryDirectory(prefix="keras_ghostnet-") as folder:
            path = pathlib.Path(folder, name)
            yield path
            self.objects.upload(path, name)

    def sizes(self) -> dict[str, int]:
        try:
            found = self.objects.list_folder()
        except FileNotFoundError:
            return {}
        return {name: int(entry.get("size") or 0) for name, entry in found.items()}


Output = FolderOutput | StoredOutput


def open_output(place: str | os.PathLike[str]) -> Output:
    """What writes to a folder, or to a place in a store; nothing is written yet.

    Raises:
        ImportError: If the store's library is not installed.
        ValueError: If a URL names no place in a store.
    """
    if isinstance(place, str) and stores.is_remote(place):
        return StoredOutput(place)
    return FolderOutput(place)
