"""Objects below a URL of a store: many read at once, listed page by page.

What is wrong with an object is told from what is wrong with the store: where one cannot be read,
another is tried that could be before. So an object that is gone or damaged is a bad example, and
credentials that expire stop a run, whatever the store calls its errors.
"""

from __future__ import annotations

import concurrent.futures
import os
import time
from collections.abc import Iterator, Sequence

from keras_ghostnet import stores

PAUSES = (0.5, 2.0, 8.0)  # seconds before what failed is asked for once more, after the library's
WAITING = 32  # threads that wait for answers, for file systems that are not asynchronous
PAGE = 1000  # objects that stores list at a time
AT_ONCE = 256  # requests of one call of `read_many` that are under way


class Objects:
    """The objects below a URL.

    Args:
        url: A folder of a store.

    Raises:
        ImportError: If the store's library is not installed.
        ValueError: If the URL names no place in a store.
    """

    def __init__(self, url: str):
        self.url = url.rstrip("/")
        self.system, key = stores.filesystem(self.url)
        self.key = key.rstrip("/")
        # What could be read: a name, and where its bytes begin.
        self._witness: tuple[str, int] | None = None

    def locate(self, name: str) -> str:
        """The URL of an object."""
        return stores.join(self.url, name) if name else self.url

    def read_many(
        self,
        names: Sequence[str],
        starts: Sequence[int] | None = None,
        ends: Sequence[int | None] | None = None,
    ) -> list[bytes | OSError]:
        """Reads objects, or ranges of them, all at once.

        What fails is asked for again, a few times.

        Args:
            names: The objects' names relative to the URL.
            starts: The first byte to read of each; None reads from the beginning.
            ends: The byte behind the last one of each; None reads to the end.

        Returns:
            What each holds, or why it cannot be read.

        Raises:
            StoreError: If nothing can be read any more.
        """
        starts = starts or [0] * len(names)
        ends = ends or [None] * len(names)
        found: list[bytes | OSError] = [b""] * len(names)
        missing = list(range(len(names)))
        for pause in (0.0, *PAUSES):
            if not missing:
                break
            time.sleep(pause)
            again = self._read_all([(names[i], starts[i], ends[i]) for i in missing])
            for place, result in zip(missing, again, strict=True):
                found[place] = result
            missing = [i for i in missing if getattr(found[i], "is_temporary", False)]
        whole = [i for i, result in enumerate(found) if isinstance(result, bytes)]
        errors = [result for result in found if isinstance(result, stores.StoreError)]
        if whole:
            self._witness = names[whole[0]], starts[whole[0]]
        elif errors and (self._witness is None or not self._still_reads()):
            raise errors[-1]
        return found

    def _still_reads(self) -> bool:
        name, start = self._witness or ("", 0)
        (result,) = self._read_all([(name, start, start + 1)])
        return isinstance(result, bytes)

    def _read_all(self, parts):
        keys, starts, ends = ([*column] for column in zip(*parts, strict=True))
        keys = [f"{self.key}/{name}" for name in keys]
        # As ranges also where all is read: `cat` would take names for patterns, and s3fs would ask
        # for the size first.
        if getattr(self.system, "async_impl", False):
            results = self.system.cat_ranges(
                keys, starts, ends, batch_size=AT_ONCE, on_error="return"
            )
        else:
            with concurrent.futures.ThreadPoolExecutor(min(WAITING, len(keys))) as pool:
                results = list(pool.map(self._read_one, keys, starts, ends))
        return [
            stores.explain(result, self.locate(name)) if isinstance(result, Exception) else result
            for (name, _, _), result in zip(parts, results, strict=True)
        ]

    def _read_one(self, key, start, end):
        try:
            return self.system.cat_file(key, start, end)
        except Exception as error:
            return error

    def read(self, name: str) -> bytes:
        """Reads an object.

        Raises:
            FileNotFoundError: If there is none of that name.
            StoreError: If it cannot be read.
        """
        with stores.explained(self.locate(name)):
            return self.system.cat_file(f"{self.key}/{name}")

    def size(self, name: str) -> int:
        """Bytes of an object.

        Raises:
            FileNotFoundError: If there is none of that name.
            StoreError: If it cannot be asked for.
        """
        with stores.explained(self.locate(name)):
            return int(self.system.size(f"{self.key}/{name}") or 0)

    def write(self, name: str, content: bytes) -> None:
        """Writes an object, whole or not at all.

        Raises:
            StoreError: If it cannot be written.
        """
        with stores.explained(self.locate(name), "written"):
            self.system.pipe_file(f"{self.key}/{name}", content)

    def upload(self, path: str | os.PathLike[str], name: str) -> None:
        """Writes an object of a file's content, whole or not at all.

        Raises:
            StoreError: If it cannot be written.
        """
        with stores.explained(self.locate(name), "written"):
            self.system.put_file(os.fspath(path), f"{self.key}/{name}")

    def list_folder(self, name: str = "") -> dict[str, dict]:
        """What lies in a folder: fsspec's details of files and folders by name.

        Raises:
            FileNotFoundError: If there is no such folder.
            NotADirectoryError: If it is an object.
            StoreError: If it cannot be listed.
        """
        key = f"{self.key}/{name}".rstrip("/")
        with stores.explained(self.locate(name), "listed"):
            entries = self.system.ls(key, detail=True)
        found = {}
        for entry in entries:
            own = entry["name"].rstrip("/")
            if own == key and entry["type"] == "file" and not entry["name"].endswith("/"):
                if entry.get("size") or len(entries) == 1:
                    raise NotADirectoryError(
                        f"{self.locate(name)} is a file; a folder is expected."
                    )
            elif own != key:
                found[own[len(key) + 1 :]] = entry
        return found

    def list_all(self) -> Iterator[tuple[str, int]]:
        """The name and the size of everything below the URL, as far as the store lists it so.

        Where it can be, 1,000 objects by a request, whatever the folders.

        Raises:
            FileNotFoundError: If there is nothing.
            StoreError: If it cannot be listed.
        """
        protocols = self.system.protocol
        is_s3 = "s3" in ([protocols] if isinstance(protocols, str) else protocols)
        start = len(self.key) + 1
        with stores.explained(self.url, "listed"):
            for key, size in self._pages() if is_s3 else self._find():
                if not key.endswith("/"):  # which marks an empty folder
                    yield key[start:], int(size or 0)

    def _pages(self):
        """Of S3: fsspec's `find` would hold a dictionary for each of a million objects."""
        bucket, _, prefix = self.key.partition("/")
        options = {"Bucket": bucket, "Prefix": f"{prefix}/" if prefix else "", "MaxKeys": PAGE}
        while True:
            page = self.system.call_s3("list_objects_v2", **options)
            for entry in page.get("Contents", ()):
                yield f"{bucket}/{entry['Key']}", entry["Size"]
            if not page.get("IsTruncated"):
                return
            options["ContinuationToken"] = page["NextContinuationToken"]

    def _find(self):
        for entry in self.system.ls(self.key, detail=True):
            if entry["type"] == "directory":
                yield from (
                    (key, found["size"])
                    for key, found in self.system.find(entry["name"], detail=True).items()
                )
            else:
                yield entry["name"], entry["size"]
