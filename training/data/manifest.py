"""The manifest of a folder that is written file by file, and can be continued."""

import json
import pathlib
import threading
import zlib
from collections.abc import Iterable, Sequence
from typing import Any

from keras_ghostnet import files
from keras_ghostnet.training.data.objects import Objects
from keras_ghostnet.training.data.outputs import Output
from keras_ghostnet.training.data.stored_folder import StoredPath

NAME, CLASSES = "manifest.json", "classes.json"
INDEX = ".idx"  # behind a TFRecord file's name: that of its index
CHUNK = 1 << 20  # bytes read at a time
# Splits of more are compared by sizes and numbers of records alone: reading them all would take
# minutes at every start, and every record has a checksum of its own. So are all in stores.
CHECKED_BYTES = 1 << 30


def require_as_recorded(
    paths: Sequence[pathlib.Path | StoredPath], examples: Iterable[int]
) -> None:
    """Refuses files that are not those that the manifest beside them lists, if there is one.

    Args:
        paths: The files of a split, `pathlib.Path` or `StoredPath`, all in one folder or each
            beside a manifest of its own.
        examples: How many records each of them holds.

    Raises:
        ValueError: If there are other files than listed, or one of another size, number of
            records or, of `CHECKED_BYTES` at most, CRC-32; says which.
    """
    folder = paths[0].parent
    entries = _entries(folder / NAME)
    if not entries:
        return
    advice = "Copy the folder again, or make the records again: ghostnet make-records."
    names = [path.name for path in paths]
    kinds = {name.rpartition("-of-")[0].rpartition("-")[0] for name in names}
    listed = {name for name in entries if name.rpartition("-of-")[0].rpartition("-")[0] in kinds}
    if listed != set(names):
        different = sorted(listed ^ set(names))
        raise ValueError(
            f"{files.printable(folder)} does not hold the files that its {NAME} lists: "
            f"{', '.join(different[:5])} {'is' if len(different) == 1 else 'are'} missing or not "
            f"among them. {advice}"
        )
    is_checked = sum(path.stat().st_size for path in paths) <= CHECKED_BYTES
    for path, name, count in zip(paths, names, examples, strict=True):
        found = {"examples": int(count), "bytes": path.stat().st_size}
        if is_checked and isinstance(path, pathlib.Path):
            found = Manifest.entry(path, int(count))
        for what, value in found.items():
            if value != entries[name].get(what):
                raise ValueError(
                    f"{files.printable(path)} is not the file that {NAME} lists: its {what} "
                    f"{'is' if what == 'crc32' else 'are'} {value}, recorded "
                    f"{entries[name].get(what)}. {advice}"
                )


def require_finished(folder: pathlib.Path | StoredPath) -> None:
    """Refuses a folder, a `pathlib.Path` or `StoredPath`, that is being written or was left so.

    Raises:
        ValueError: If the manifest in it says so, or is damaged.
    """
    _entries(folder / NAME)


def _entries(path):
    """What a manifest of ours lists, by the files' names; empty if there is none of ours."""
    if not path.is_file():
        return {}
    try:
        content = json.loads(files.read_text(path))
    except (ValueError, RecursionError) as error:
        raise ValueError(
            f"{files.printable(path)} is damaged. Copy the folder again, or make the records again."
        ) from error
    if not (isinstance(content, dict) and isinstance(content.get("files"), dict)):
        return {}  # of another tool
    if content.get("complete") is not True:
        raise ValueError(
            f"{files.printable(path.parent)} is not finished: run ghostnet make-records again."
        )
    return {
        str(name): entry if isinstance(entry, dict) else {}
        for name, entry in content["files"].items()
    }


def stored_sizes(objects: Objects) -> dict[str, int]:
    """Sizes in bytes of what a folder of TFRecords holds, for who may read it and not list it.

    Args:
        objects: What reads in the folder.

    Returns:
        By name; empty if there is no manifest of ours.
    """
    try:
        content = json.loads(objects.read(NAME))
        sizes = {str(name): int(entry["bytes"]) for name, entry in content["files"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}
    if any("/" in name or size < 0 for name, size in sizes.items()):
        return {}
    beside = (NAME, CLASSES, *(f"{name}{INDEX}" for name in sizes))
    return {**dict.fromkeys(beside, 1), **sizes}  # of these the sizes do not matter


class Manifest:
    """`manifest.json`: the settings, and every finished file's examples, bytes and CRC-32.

    Files that were finished earlier and are whole are taken over.

    Args:
        output: Of `outputs.open_output`.
        settings: A dict of what the files' content depends on, as JSON can hold it.

    Raises:
        FileExistsError: If there is something else, or files of other settings.
    """

    def __init__(self, output: Output, settings: dict[str, Any]):
        self.output = output
        self.content: dict[str, Any] = {"settings": settings, "complete": False, "files": {}}
        self._lock = threading.Lock()
        earlier = output.read_text(NAME)
        if earlier is not None:
            self.content["files"] = self._finished(earlier, settings)
        elif not output.is_empty():
            raise FileExistsError(
                f"{output.place} is not empty, and has no {NAME} to be continued from. Choose "
                "another folder."
            )
        self._save()

    def _finished(self, text, settings):
        """The entries of the files that are whole."""
        try:
            found = json.loads(text)
            earlier, entries = found["settings"], found["files"]
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise FileExistsError(
                f"{self.output.place}/{NAME} is no manifest of ours. Choose another folder."
            ) from error
        changed = [name for name in settings if earlier.get(name) != settings[name]]
        if changed:
            raise FileExistsError(
                f"{self.output.place} was started from another input or with other settings: what "
                f"differs is {', '.join(changed)}. Remove it, or choose another folder."
            )
        return self._whole(entries)

    def _whole(self, entries):
        """Those of several entries whose files are there and whole; of stored ones the size tells.

        A store takes an object whole or not at all, and compares checksums as it does.
        """
        sizes = self.output.sizes()
        return {
            name: entry
            for name, entry in entries.items()
            if sizes.get(name) == entry["bytes"]
            and (self.output.is_stored or entry == self._again(name, entry))
        }

    def _again(self, name, entry):
        return self.entry(self.output.folder / name, entry["examples"])

    def __contains__(self, name: str) -> bool:
        return name in self.content["files"]

    @staticmethod
    def entry(path: pathlib.Path, examples: int) -> dict[str, Any]:
        """What is noted of a file: its examples, size and CRC-32."""
        crc = 0
        with open(path, "rb") as file:
            while chunk := file.read(CHUNK):
                crc = zlib.crc32(chunk, crc)
        return {"examples": examples, "bytes": path.stat().st_size, "crc32": f"{crc:08x}"}

    def add(self, name: str, entry: dict[str, Any]) -> None:
        """Notes a file that is in its place; from now on it is kept."""
        with self._lock:
            self.content["files"][name] = entry
            self._save()

    def finish(self) -> None:
        """Notes that all files are there and checked.

        Raises:
            ValueError: If a stored one is not what was written.
        """
        with self._lock:
            entries = self.content["files"]
            if self.output.is_stored and (lost := entries.keys() - self._whole(entries).keys()):
                raise ValueError(
                    f"{self.output.place}/{min(lost)} is not as it was written. Does another "
                    "process write there? Run the same command again."
                )
            self.content["complete"] = True
            self.content["files"] = dict(sorted(self.content["files"].items()))
            self._save()

    def _save(self):
        self.output.write(NAME, (json.dumps(self.content, indent=1) + "\n").encode())
