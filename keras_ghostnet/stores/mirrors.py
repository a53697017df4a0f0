"""A folder of a store on this machine: taken from there, worked in as any other, published."""

from __future__ import annotations

import contextlib
import os
import pathlib
import weakref
from collections.abc import Callable, Iterator

from keras_ghostnet import files
from keras_ghostnet.stores import folders, publishing
from keras_ghostnet.stores.access import explained, filesystem, require_writable
from keras_ghostnet.stores.errors import StoreError
from keras_ghostnet.stores.folders import Folder
from keras_ghostnet.stores.publishing import Publisher
from keras_ghostnet.stores.urls import is_remote

PULLS = 3  # of a folder that changes meanwhile


class Mirror:
    """A local folder with what a folder of a store holds.

    Files that are damaged or missing there are told of and left out, as if they were damaged in a
    local folder; what is published later takes their place.

    Args:
        url: The folder in the store; it may not exist yet.
        log: Function of a line of text, for what the user should know.

    Attributes:
        folder: The local one, of this process.
        close: Function without arguments that removes it; is called at the end at the latest.

    Raises:
        StoreError: If the store cannot be read.
        ValueError: If its manifest is damaged, or it holds far too much.
    """

    def __init__(self, url: str, log: Callable[[str], None] = print):
        self.url, self.log = url.rstrip("/"), log
        self._base = folders.temporary()
        self.close = weakref.finalize(self, files.remove, self._base)
        self.folder = self._base / files.file_name(self.url.rpartition("/")[2])
        found, version, damaged = self._pull()
        self.publisher = Publisher(self.url, self.folder, found, version, damaged, log=log)

    def _pull(self):
        for attempt in range(PULLS):
            files.remove(self.folder)
            self.folder.mkdir(parents=True)
            try:
                found, version = folders.read_manifest(self.url)
                folder = Folder(self.url, found)
                entries = self._listed(folder)
            except StoreError as error:
                if not error.is_denied:
                    raise
                raise StoreError(
                    f"{error} To begin a folder, the permission to list is needed: without it, "
                    "stores deny also what is not there.",
                    is_denied=True,
                ) from error
            damaged = folders.download(folder, entries, self.folder, is_strict=False)
            last = attempt == PULLS - 1
            if not damaged or last or folders.read_manifest(self.url)[1] == version:
                break
        for problem in damaged.values():
            self.log(f"{problem} It is passed over.")
        return found, version, set(damaged)

    def _listed(self, folder):
        if folder.manifest is not None:
            return folder.below()
        system, key = filesystem(self.url)
        with explained(self.url, "listed"):
            if system.isfile(key):
                raise NotADirectoryError(f"{self.url} is an object. Name a folder.")
        try:
            entries = folder.below()
        except FileNotFoundError:
            return {}
        entries = {n: e for n, e in entries.items() if n.split("/")[-1] != publishing.PENDING}
        if entries:
            self.log(
                f"{self.url} holds {len(entries)} objects without a manifest, taken as they are"
            )
        return entries

    def publish(self) -> None:
        """Publishes what has changed, as `Publisher.publish`, and ends it: nobody writes then.

        Raises:
            StoreError: If the store refuses; says where the local files are kept.
        """
        try:
            if self.publisher.has_changes():
                if self.publisher.writer is None:
                    self.publisher.claim()
                self.publisher.publish()
            self.publisher.release()
        except StoreError as error:
            raise self.kept(error) from error

    def kept(self, error: StoreError) -> StoreError:
        """Moves the local folder to where it stays; returns the error with a word on that."""
        place = files.cache("stores") / "unpublished" / self._base.name.lstrip(".")
        place.parent.mkdir(parents=True, exist_ok=True)
        os.replace(self._base, place)
        self.close.detach()
        return StoreError(
            f"{error} What could not be published is kept in {place / self.folder.name}.",
            is_temporary=error.is_temporary,
            is_conflict=error.is_conflict,
            is_denied=error.is_denied,
        )

    def shown(self, text: str) -> str:
        """A message with the store's URL for the local folder."""
        return text.replace(str(self.folder), self.url)

    @contextlib.contextmanager
    def explained(self) -> Iterator[None]:
        """Lets errors of the body name the store's URL instead of the local folder."""
        try:
            yield
        except Exception as error:
            self.explain(error)
            raise

    def explain(self, error: Exception) -> None:
        """Lets an error name the store's URL instead of the local folder."""
        error.args = tuple(
            self.shown(each) if isinstance(each, str) else each for each in error.args
        )
        if isinstance(error, OSError) and isinstance(error.filename, str):
            error.filename = self.shown(error.filename)


@contextlib.contextmanager
def mirrored(
    path: str | os.PathLike[str], option: str = "--out", log: Callable[[str], None] = print
) -> Iterator[pathlib.Path]:
    """A local folder to write to; if it stands for one of a store, it is published at the end.

    So is what was finished before an error.

    Args:
        path: A folder, here or in a store.
        option: What names another on the command line.
        log: Function of a line of text, for what the user should know.

    Raises:
        StoreError: If the store cannot be written to; before the body if possible.
    """
    if not is_remote(path):
        yield pathlib.Path(path)
        return
    url = str(path)
    require_writable(url, option)
    mirror = Mirror(url, log)
    try:
        with mirror.explained():
            try:
                yield mirror.folder
            finally:
                mirror.publish()
    finally:
        mirror.close()


@contextlib.contextmanager
def writable_file(path: str | os.PathLike[str], option: str = "--out") -> Iterator[pathlib.Path]:
    """A local name to write a file to; if it stands for an object of a store, it is put there.

    What the body writes beside it is put there afterwards, such as a file that describes it.

    Args:
        path: A file, here or in a store.
        option: What names another on the command line.

    Raises:
        StoreError: If the store cannot be written to, or another process writes to its folder;
            before the body if possible.
    """
    if not is_remote(path):
        yield pathlib.Path(path)
        return
    folder, _, name = str(path).rpartition("/")
    publishing.require_unclaimed(folder, folders.read_manifest(folder)[0])
    require_writable(folder, option)
    base = folders.temporary()
    try:
        yield base / files.file_name(name)
        names = sorted(
            (each.name for each in base.iterdir()), key=lambda each: (each != name, each)
        )
        publishing.put_files(base, names, folder)
    finally:
        files.remove(base)
