"""Folders of a store: what they hold, and their files on this machine."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import os
import pathlib
import shutil
import socket
import time
import uuid
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from keras_ghostnet import files
from keras_ghostnet.stores import manifest
from keras_ghostnet.stores.access import explained, filesystem
from keras_ghostnet.stores.errors import StoreError
from keras_ghostnet.stores.manifest import Entry, Manifest
from keras_ghostnet.stores.urls import is_remote, join

THREADS = 8  # transfers at a time
MOST = 10_000  # objects of a folder without manifest
ANCESTORS = 3  # folders above, one of which may have the manifest
KEPT_DAYS = 30  # downloads that nobody has used, mirrors in which nothing has changed
VERSIONS = ("ETag", "etag", "generation", "mtime", "LastModified", "created")

_urls: dict[str, str] = {}  # of the folders that were downloaded to, by their paths


class DamagedError(ValueError):
    """A file in a store is not the one that its manifest lists."""


@dataclasses.dataclass(frozen=True)
class Folder:
    """A folder of a store.

    Attributes:
        url: Its URL.
        manifest: What it holds; None of one without manifest, whose objects are listed.
    """

    url: str
    manifest: Manifest | None

    def entry(self, name: str) -> Entry | None:
        """A file of the folder; None if there is none of the name."""
        if self.manifest is not None:
            return self.manifest.files.get(name)
        url = join(self.url, name)
        system, key = filesystem(url)
        try:
            with explained(url):
                info = system.info(key)
        except FileNotFoundError:
            return None
        return _described(name, info) if info["type"] == "file" else None

    def below(self, name: str = "") -> dict[str, Entry]:
        """The files below a folder of it by their names.

        Raises:
            StoreError: If they cannot be listed.
            ValueError: If there are more than a run or artifacts have.
        """
        start = f"{name}/" if name else ""
        if self.manifest is not None:
            entries = self.manifest.files.items()
            return {name: entry for name, entry in entries if name.startswith(start)}
        url = join(self.url, name) if name else self.url
        system, key = filesystem(url)
        root = filesystem(self.url)[1].rstrip("/")
        found: dict[str, Entry] = {}
        with explained(url, "listed"):
            for _, _, objects in system.walk(key, detail=True, on_error="raise"):
                for info in objects.values():
                    relative = info["name"].removeprefix(root).lstrip("/")
                    if relative and manifest.is_name(relative):
                        found[relative] = _described(relative, info)
                if len(found) > MOST:
                    raise ValueError(
                        f"{url} holds more than {MOST:,} objects, so it is no folder of a run or "
                        "of artifacts. Name one."
                    )
        return found


def _described(name: str, info: dict[str, Any]) -> Entry:
    return Entry(int(info["size"] or 0), None, name, version_of(info))


def version_of(info: dict[str, Any]) -> str:
    """What tells versions of an object apart, as the store says it."""
    return next((str(info[key]) for key in VERSIONS if info.get(key)), "")


def read_manifest(url: str) -> tuple[Manifest | None, str | None]:
    """The manifest of a folder and its version; a pair of None if there is none.

    Raises:
        StoreError: If it cannot be read.
        ValueError: If it is damaged.
    """
    where = join(url, manifest.NAME)
    system, key = filesystem(where)
    for _ in range(5):
        try:
            with explained(where):
                content = _bounded(system, key, where)
                version = version_of(system.info(key))
                if system.cat_file(key) == content:  # so the version is that of the content
                    return manifest.parse(content, url), version
        except FileNotFoundError:
            return None, None
    raise StoreError(f"{where} changes all the time: several processes write there.")


def _bounded(system, key, where):
    content = system.cat_file(key, start=0, end=manifest.MAX_MANIFEST + 1)
    if len(content) > manifest.MAX_MANIFEST:
        raise StoreError(f"{where} is too large to be a manifest.")
    return content


def locate(url: str) -> tuple[Folder, str]:
    """Finds what a URL names, a file or a folder.

    Returns:
        The folder whose manifest lists it, or else the one that it is in; and its name there, `""`
        for the folder itself.

    Raises:
        FileNotFoundError: If there is nothing.
        StoreError: If it cannot be read.
    """
    url = url.rstrip("/")
    start, _, rest = url.partition("://")
    parts = rest.split("/")
    for count in range(min(ANCESTORS, len(parts) - 1) + 1):
        folder = f"{start}://{'/'.join(parts[: len(parts) - count])}"
        name = "/".join(parts[len(parts) - count :])
        try:
            found, _ = read_manifest(folder)
        except StoreError as error:
            if error.is_temporary:
                raise
            break  # nothing but the place itself may be readable
        if found is None:
            continue
        if not name or any(x == name or x.startswith(f"{name}/") for x in found.files):
            return Folder(folder, found), name
    system, key = filesystem(url)
    with explained(url):
        info = system.info(key)
    if info["type"] == "directory":
        return Folder(url, None), ""
    return Folder(url.rpartition("/")[0], None), parts[-1]


def fetch(url: str, beside: Iterable[str] = ()) -> pathlib.Path:
    """A file or folder of a store on this machine, in the user's cache.

    It is downloaded unless the cache has this very version; hashes are compared with the
    manifest's, if there is one, either way.

    Args:
        url: The file or folder.
        beside: Names of files in the same folder to take too, where they are.

    Returns:
        The local path, of the same last name.

    Raises:
        FileNotFoundError: If there is no such object.
        StoreError: If it cannot be read.
        DamagedError: If it is not what the manifest lists.
        OSError: If there is no room for it.
    """
    for attempt in range(3):
        folder, name = locate(url)
        entry = folder.entry(name) if name else None
        wanted = folder.below(name) if entry is None else {name: entry}
        parent = f"{name.rpartition('/')[0]}/" if "/" in name else ""
        if name:
            found = ((f"{parent}{each}", folder.entry(f"{parent}{each}")) for each in beside)
            wanted.update((each, entry) for each, entry in found if entry is not None)
        if not wanted:
            raise FileNotFoundError(f"There is nothing in {url}.")
        try:
            return _cached(folder, wanted) / name
        except (DamagedError, FileNotFoundError):
            # It was replaced meanwhile: then the manifest is another one, too.
            if attempt == 2 or folder.manifest == read_manifest(folder.url)[0]:
                raise
    raise AssertionError


def local(path: str | os.PathLike[str], beside: Iterable[str] = ()) -> pathlib.Path:
    """A file or folder on this machine: `fetch` of one in a store, any other path as it is."""
    return fetch(str(path), beside) if is_remote(path) else pathlib.Path(path)


def with_urls(text: str) -> str:
    """A message with the URLs of what this process downloaded in place of the local paths."""
    for place, url in _urls.items():
        text = text.replace(place, url)
    return text


def _cached(folder, wanted):
    """A folder of the cache with these files of a folder."""
    described = repr((folder.url, sorted((name, str(entry)) for name, entry in wanted.items())))
    digest = hashlib.sha256(described.encode()).hexdigest()[:32]
    base = files.cache("stores") / "fetched"
    place = base / digest / files.file_name(folder.url.rpartition("/")[2])
    _urls[str(place)] = folder.url
    if place.is_dir() and all(is_same(place / name, entry) for name, entry in wanted.items()):
        os.utime(place.parent)
        return place
    base.mkdir(parents=True, exist_ok=True)
    _clear_old(base)
    partial = temporary()
    try:
        (partial / place.name).mkdir()
        download(folder, wanted, partial / place.name)
        files.remove(place.parent)  # of other content: damaged, or changed here
        with contextlib.suppress(OSError):  # another process was faster
            os.rename(partial, place.parent)
    finally:
        files.remove(partial)
    return place


def temporary() -> pathlib.Path:
    """A new folder of this process in the cache, which a later one removes if this one is killed.

    Machines that share the cache leave each other's alone, until nothing has changed there for
    `KEPT_DAYS`.
    """
    mirrors = files.cache("stores") / "mirrors"
    base = mirrors / files.file_name(socket.gethostname())
    base.mkdir(parents=True, exist_ok=True)
    files.clear_leftovers(base)
    _clear_hosts(mirrors, base)
    folder = base / files.temporary_name(uuid.uuid4().hex[:16])
    folder.mkdir()
    return folder


def _clear_old(base):
    for each in base.iterdir():
        with contextlib.suppress(OSError):
            if time.time() - each.stat().st_mtime > KEPT_DAYS * 86400:
                files.remove(each)


def _clear_hosts(mirrors, own):
    for host in mirrors.iterdir():
        with contextlib.suppress(OSError):  # it is in use
            changes = [each.lstat().st_mtime for each in (host, *host.rglob("*"))]
            if host != own and time.time() - max(changes) > KEPT_DAYS * 86400:
                files.remove(host)


def is_same(path: pathlib.Path, entry: Entry) -> bool:
    """Whether a local file is the one that an entry describes."""
    if not path.is_file() or path.stat().st_size != entry.bytes:
        return False
    return entry.sha256 is None or sha256_of(path) == entry.sha256


def sha256_of(path: pathlib.Path) -> str:
    """The SHA-256 of a file, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def download(
    folder: Folder, wanted: dict[str, Entry], place: pathlib.Path, *, is_strict: bool = True
) -> dict[str, Exception]:
    """Downloads files of a folder.

    Args:
        folder: The folder.
        wanted: Its entries by name.
        place: The local folder that they go to, under their names.
        is_strict: Whether files that are damaged or missing raise; else they are left out.

    Returns:
        What was wrong with files that were left out, by their names.

    Raises:
        As `fetch`.
    """
    total, free = sum(entry.bytes for entry in wanted.values()), shutil.disk_usage(place).free
    if total > free:
        raise OSError(
            f"{folder.url} has {total:,} bytes to download, but {place} has room for {free:,}. "
            "Free space there, or name another place for the cache (XDG_CACHE_HOME)."
        )

    def take(name):
        try:
            _download(folder, wanted[name], place / name)
        except (DamagedError, FileNotFoundError) as error:
            if is_strict:
                raise
            return error
        return None

    errors = zip(wanted, in_parallel(take, wanted), strict=True)
    return {name: error for name, error in errors if error is not None}


def _download(folder, entry, path):
    url = join(folder.url, entry.key)
    system, key = filesystem(url)
    path.parent.mkdir(parents=True, exist_ok=True)
    with explained(url):
        system.get_file(key, str(path))
    if not is_same(path, entry):
        files.remove(path)
        raise DamagedError(
            f"{url} is damaged: its size or SHA-256 is not the one that {manifest.NAME} lists. "
            "Write it again."
        )


def in_parallel(function: Any, items: Iterable[Any]) -> list[Any]:
    """Calls a function for every item, several at a time; the first error is raised."""
    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(function, items))
