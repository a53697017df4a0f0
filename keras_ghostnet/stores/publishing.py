"""Publishes a local folder to a store, so that readers see it as it was before or as it is.

Object stores have no rename, and put one object at a time. What makes several of them one whole is
the manifest, which is written in one request:

1. `.pending.json` names the objects that are about to be written or to go.
2. New files are put under their own names, changed ones under `.changed/SHA256`.
3. The manifest refers to these objects: from here on, the folder is the new one.
4. Changed files are copied to their own names within the store; the manifest refers to those.
5. What is not referred to any more is removed, `.pending.json` last.

Wherever a writer is killed, the manifest describes what is there. The next one does what is left
of 4 and 5. It takes the folder over by a manifest of its own, which the store accepts only if no
other was written since it was read (S3's conditional writes); an earlier writer that is still
alive finds its next manifest refused, and stops.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import pathlib
import socket
import time
import uuid
from collections.abc import Callable, Iterable

from keras_ghostnet import files
from keras_ghostnet.stores import manifest
from keras_ghostnet.stores.access import explained, filesystem
from keras_ghostnet.stores.errors import StoreError, codes
from keras_ghostnet.stores.folders import (
    in_parallel,
    read_manifest,
    sha256_of,
    version_of,
)
from keras_ghostnet.stores.manifest import CHANGED, Entry, Manifest
from keras_ghostnet.stores.urls import join

PENDING = ".pending.json"
LEFT_OUT = (".partial-", ".previous-", ".lock")  # of local names
SMALL = 4 << 20  # bytes; what is appended to is smaller, and is read once
WHOLE = ("s3", "s3a", "gs", "gcs", "abfs", "az")  # put an object whole or not at all
CONDITIONAL = ("s3", "s3a")  # whose manifest is written only if it is still the one that was read


class Publisher:
    """The one writer of a folder in a store.

    Args:
        url: The folder.
        local: The local folder that is published.
        found: The manifest that the local folder was made from, None without one.
        version: Of its object.
        damaged: Names of files that are not as the manifest says: they count as not there.
        is_partial: Whether the local folder holds but some of the files: the others stay.
        log: Function of a line of text, for what the user should know.
    """

    def __init__(
        self,
        url: str,
        local: pathlib.Path,
        found: Manifest | None,
        version: str | None,
        damaged: Iterable[str] = (),
        is_partial: bool = False,
        log: Callable[[str], None] = print,
    ):
        self.url, self.local, self.log = url.rstrip("/"), local, log
        self.damaged, self.is_partial = set(damaged), is_partial
        known = found.files.items() if found else ()
        self.files = {name: entry for name, entry in known if name not in self.damaged}
        self.previous = found.writer if found else None
        self.version = version
        self.writer: dict[str, str] | None = None
        self.left: set[str] = set()  # objects that may be there and that nothing may refer to
        self.is_conditional = self.url.partition("://")[0].lower() in CONDITIONAL
        self.seen: dict[str, tuple[tuple[int, ...], Entry]] = {}

    def claim(self) -> None:
        """Takes the folder over, and finishes what an earlier writer had committed.

        Raises:
            StoreError: If it cannot be written to, or another process writes there.
        """
        self.writer = {
            "id": uuid.uuid4().hex,
            "process": f"{os.getpid()} on {socket.gethostname()}",
            "since": time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime()),
        }
        try:
            self._commit(self.files)
        except BaseException:
            self.writer = None
            raise
        if self.previous is not None:
            self.log(
                f"{self.url} was being written by process {self.previous.get('process', '?')} "
                f"since {self.previous.get('since', '?')}, which has not finished: taken over. If "
                "it is still running, it stops."
            )
        self._settle()
        self.left |= self._pending()
        self._clear()

    def publish(self) -> None:
        """Sends what has changed in the local folder, and commits it.

        Raises:
            StoreError: If the store refuses or does not answer: the folder is as it was before. Or
                another process writes there.
        """
        self._require_ours()
        self._settle()  # what an earlier attempt had committed
        found, names, gone = self._changes()
        if not names and not gone and not self.left:
            return
        put = {name: self._frozen(name, found[name]) for name in names}
        self.left |= {*(entry.key for entry, _ in put.values()), *gone}
        self._put(PENDING, json.dumps({"keys": sorted(self.left)}).encode())
        in_parallel(self._upload, put.items())
        kept = {name: entry for name, entry in self.files.items() if name not in gone}
        self._commit({**kept, **{name: entry for name, (entry, _) in put.items()}})
        self._settle()
        self._clear()
        self.damaged.clear()

    def release(self) -> None:
        """Says in the manifest that nobody writes there any more."""
        if self.writer is not None:
            self.writer = None
            self._commit(self.files)

    def has_changes(self) -> bool:
        """Whether the local folder is another one than what was published or taken."""
        _, names, gone = self._changes()
        return bool(names or gone)

    def _changes(self):
        """All local entries, the names of those that are new or changed, and the names gone."""
        found = self._scan()
        names = [name for name in found if not _holds_same(self.files.get(name), found[name])]
        gone = set() if self.is_partial else (self.files.keys() | self.damaged) - found.keys()
        return found, names, gone

    def _scan(self):
        """Entries of the local files; those that have not changed since are not read again."""
        found = {}
        for path in _local_files(self.local):
            name = path.relative_to(self.local).as_posix()
            if not manifest.is_name(name):
                raise ValueError(f"{files.printable(name)!r} cannot be a file's name in a store.")
            status = path.stat()
            state = (status.st_size, status.st_mtime_ns, status.st_ino)
            before = self.seen.get(name)
            entry = before[1] if before and before[0] == state else None
            found[name] = state, entry or Entry(status.st_size, sha256_of(path), name)
        self.seen = found
        return {name: entry for name, (_, entry) in found.items()}

    def _frozen(self, name, entry):
        """The entry to be written, and the content of a small file, which may be appended to."""
        content = None
        if entry.bytes <= SMALL:
            content = (self.local / name).read_bytes()
            entry = Entry(len(content), hashlib.sha256(content).hexdigest(), name)
        key = f"{CHANGED}/{entry.sha256}" if name in self.files else name
        return dataclasses.replace(entry, key=key), content

    def _upload(self, item):
        name, (entry, content) = item
        if content is not None:
            self._put(entry.key, content)
            return
        url = join(self.url, entry.key)
        system, key = filesystem(url)
        with explained(url, "written"):
            system.put_file(str(self.local / name), key)

    def _put(self, name, content, **options):
        url = join(self.url, name)
        system, key = filesystem(url)
        with explained(url, "written"):
            return system.pipe_file(key, content, **options)

    def _settle(self):
        """Copies changed files to their own names; then nothing refers to `.changed` any more."""
        changed = {name: entry for name, entry in self.files.items() if entry.key != name}
        if not changed:
            return
        in_parallel(self._copy, changed.items())
        keys = {entry.key for entry in changed.values()}
        plain = {name: dataclasses.replace(e, key=name) for name, e in changed.items()}
        self.left |= keys
        self._commit({**self.files, **plain})

    def _clear(self):
        """Removes what nothing refers to any more."""
        in_parallel(self._remove, self.left - self.files.keys())
        self._remove(PENDING)
        self.left = set()

    def _copy(self, item):
        name, entry = item
        url = join(self.url, name)
        (system, target), (_, source) = filesystem(url), filesystem(join(self.url, entry.key))
        with explained(url, "written"):
            system.cp_file(source, target)

    def _pending(self):
        """Objects that an earlier writer left, and that nothing refers to."""
        where = join(self.url, PENDING)
        system, key = filesystem(where)
        try:
            with explained(where):
                content = system.cat_file(key, start=0, end=manifest.MAX_MANIFEST)
            keys = json.loads(content)["keys"]
            return {key for key in keys if manifest.is_name(key) and key != manifest.NAME}
        except StoreError as error:
            if not error.is_denied:  # as what is not there is, without the permission to list
                raise
        except (FileNotFoundError, ValueError, KeyError, TypeError):  # none, or not ours
            pass
        return set()

    def _remove(self, name):
        url = join(self.url, name)
        system, key = filesystem(url)
        with contextlib.suppress(FileNotFoundError), explained(url, "removed"):
            system.rm_file(key)

    def _require_ours(self):
        """Refuses to go on if another process has written the manifest since."""
        if self._current_version() == self.version:
            return
        found, version = read_manifest(self.url)
        writer = None if found is None else found.writer
        if writer is None or self.writer is None or writer.get("id") != self.writer["id"]:
            raise self._conflict()
        self.files, self.version = dict(found.files), version  # of a request that was not answered

    def _current_version(self):
        where = join(self.url, manifest.NAME)
        system, key = filesystem(where)
        try:
            with explained(where):
                return version_of(system.info(key))
        except FileNotFoundError:
            return None

    def _commit(self, entries):
        """Writes the manifest, if it is still the one that was read or written last."""
        content = Manifest(entries, self.writer).content()
        options = {}
        if self.is_conditional:
            options = {"IfMatch": self.version} if self.version else {"mode": "create"}
        else:
            self._require_ours()
        try:
            answer = self._put(manifest.NAME, content, **options)
        except StoreError as error:
            if options and codes(error) & {"NotImplemented", "501"}:
                self.log(
                    f"The store of {self.url} has no conditional writes: two processes that write "
                    "there at the same moment may not notice each other."
                )
                self.is_conditional = False
                return self._commit(entries)
            if not error.is_conflict:
                raise
            # The answer to a request that was carried out may have been lost.
            current, version = read_manifest(self.url)
            if current is None or current.content() != content:
                raise self._conflict() from error
            answer = {"ETag": version}
        self.version = (
            answer.get("ETag") if isinstance(answer, dict) else None
        ) or self._current_version()
        self.files = dict(entries)

    def _conflict(self):
        return StoreError(
            f"Another process has written to {self.url} meanwhile, so this one stops. What it had "
            "published before is whole. Run one process at a time, or choose another folder.",
            is_conflict=True,
        )


def _holds_same(known: Entry | None, entry: Entry) -> bool:
    return known is not None and (known.bytes, known.sha256) == (entry.bytes, entry.sha256)


def _local_files(folder: pathlib.Path) -> Iterable[pathlib.Path]:
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(LEFT_OUT)]
        for name in names:
            path = pathlib.Path(place, name)
            if not name.startswith(LEFT_OUT) and path.is_file():
                yield path


def put_files(folder: pathlib.Path, names: Iterable[str], url: str) -> None:
    """Puts files into a folder of a store, beside what is there.

    Each appears whole or not at all, one after the other; if the folder has a manifest, all do at
    once.

    Args:
        folder: The local folder that holds them, and nothing else.
        names: Their names, in the order in which they are put.
        url: The folder in the store.

    Raises:
        StoreError: If they cannot be written, or another process writes there.
    """
    found, version = read_manifest(url)
    if found is None:
        for name in names:
            _put_whole(folder / name, join(url, name))
        return
    require_unclaimed(url, found)
    publisher = Publisher(url, folder, found, version, is_partial=True)
    publisher.claim()
    publisher.publish()
    publisher.release()


def require_unclaimed(url: str, found: Manifest | None) -> None:
    """Refuses a folder that another process writes to, as training does.

    Raises:
        StoreError: If there is one.
    """
    if found is not None and found.writer is not None:
        raise StoreError(
            f"{url} is being written by process {found.writer.get('process', '?')} since "
            f"{found.writer.get('since', '?')}, or was when that was killed. Choose another "
            "folder, wait for it, or resume it."
        )


def _put_whole(path, url):
    system, key = filesystem(url)
    with explained(url, "written"):
        if url.partition("://")[0].lower() in WHOLE:
            system.put_file(str(path), key)
            return
        partial = f"{key}.partial-{uuid.uuid4().hex}"  # a file system, which shows half a file
        try:
            system.makedirs(key.rpartition("/")[0], exist_ok=True)
            system.put_file(str(path), partial)
            system.mv(partial, key)
        finally:
            with contextlib.suppress(Exception):
                system.rm_file(partial)
