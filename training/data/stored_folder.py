"""Folders of object stores, walked like local ones: all names below one are known at once."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from keras_ghostnet.training.data import image_formats
from keras_ghostnet.training.data.objects import Objects


class StoredTree:
    """What lies below a folder of a store.

    Args:
        objects: What reads there.
        sizes: Pairs of an object's name, relative to the folder, and its size in bytes.
        heads: The first bytes of some of them, by name.
        note: Where the names come from, for people; empty if they were just listed.

    Attributes:
        folders: From a folder's name, `""` for the first, to what it holds: from a name to a size
            in bytes, None for a folder.
    """

    def __init__(
        self,
        objects: Objects,
        sizes: Iterable[tuple[str, int]],
        heads: dict[str, bytes] | None = None,
        note: str = "",
    ):
        self.objects, self.heads, self.note = objects, heads or {}, note
        self.folders: dict[str, dict[str, int | None]] = {"": {}}
        for path, size in sizes:
            folder, _, name = path.rpartition("/")
            self._make(folder)
            # Where a folder has an object's name, as stores allow, it is the folder that counts.
            self.folders[folder].setdefault(name, size)

    def _make(self, folder):
        if folder not in self.folders:
            parent, _, name = folder.rpartition("/")
            self._make(parent)
            self.folders[parent][name] = None
            self.folders[folder] = {}


@dataclasses.dataclass(frozen=True)
class StoredPath(os.PathLike):
    """A file or folder in a `StoredTree`: what is needed of `pathlib.Path` and `os.DirEntry`.

    Attributes:
        tree: The tree.
        relative: Its name there, with slashes; `""` is the tree's own folder.
    """

    tree: StoredTree
    relative: str = ""

    def __fspath__(self) -> str:
        return self.tree.objects.locate(self.relative)

    def __str__(self) -> str:
        return self.__fspath__()

    def __truediv__(self, name: str | os.PathLike[str]) -> StoredPath:
        parts = (self.relative, os.fspath(name))
        return StoredPath(self.tree, "/".join(filter(None, parts)))

    @property
    def name(self) -> str:
        """Its last part; of a tree's own folder that of the URL."""
        return os.fspath(self).rpartition("/")[2]

    @property
    def parent(self) -> StoredPath:
        """The folder that it lies in; of the tree's own folder that itself."""
        return StoredPath(self.tree, self.relative.rpartition("/")[0])

    @property
    def size(self) -> int | None:
        """In bytes; None of a folder, and of what is not there."""
        folder, _, name = self.relative.rpartition("/")
        return self.tree.folders.get(folder, {}).get(name)

    def stat(self) -> os.stat_result:
        """Of which the size alone is meant."""
        return os.stat_result((0, 0, 0, 0, 0, 0, self.size or 0, 0, 0, 0))

    def is_dir(self) -> bool:
        """Whether it is a folder."""
        return self.relative in self.tree.folders

    def is_file(self) -> bool:
        """Whether it is an object."""
        return self.size is not None

    def is_symlink(self) -> bool:
        """Stores have no links."""
        return False

    def exists(self) -> bool:
        """Whether it is there."""
        return self.is_dir() or self.is_file()

    def iterdir(self) -> Iterator[StoredPath]:
        """What a folder holds."""
        return (self / name for name in self.tree.folders[self.relative])

    def read_bytes(self) -> bytes:
        """An object's content.

        Raises:
            FileNotFoundError: If it is not there any more.
            StoreError: If it cannot be read.
        """
        return self.tree.objects.read(self.relative)

    def open(self, mode: str) -> BinaryIO:
        """Opens an object, to read it block by block."""
        objects = self.tree.objects
        return objects.system.open(f"{objects.key}/{self.relative}", mode)

    def read_head(self) -> bytes:
        """The first `image_formats.HEAD_BYTES` of an object; likewise."""
        if not self.size:
            return b""
        if self.relative in self.tree.heads:
            return self.tree.heads[self.relative]
        (head,) = self.tree.objects.read_many([self.relative], ends=[image_formats.HEAD_BYTES])
        if isinstance(head, OSError):
            raise head
        return head
