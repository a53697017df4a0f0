"""The manifest of a folder that is written file by file, and can be continued."""

import json
import threading
import zlib

from keras_ghostnet import files

NAME = "manifest.json"
CHUNK = 1 << 20  # bytes read at a time


class Manifest:
    """`manifest.json`: the settings, and every finished file's examples, bytes and CRC-32.

    Files that were finished earlier and are whole are taken over.

    Args:
        output: The folder, a `pathlib.Path`.
        settings: A dict of what the files' content depends on, as JSON can hold it.

    Raises:
        FileExistsError: If the folder holds something else, or files of other settings.
    """

    def __init__(self, output, settings):
        self.output, self.path = output, output / NAME
        self.content = {"settings": settings, "complete": False, "files": {}}
        self._lock = threading.Lock()
        if self.path.exists():
            self.content["files"] = self._finished(settings)
        elif output.exists() and any(output.iterdir()):
            raise FileExistsError(
                f"{output} is not empty, and has no {NAME} to be continued from. Choose another "
                "folder."
            )
        self._save()

    def _finished(self, settings):
        """The entries of the files that are whole."""
        try:
            found = json.loads(self.path.read_text("utf-8"))
            earlier, entries = found["settings"], found["files"]
        except (ValueError, KeyError, TypeError) as error:
            raise FileExistsError(
                f"{self.path} is no manifest of ours. Choose another folder."
            ) from error
        changed = [name for name in settings if earlier.get(name) != settings[name]]
        if changed:
            raise FileExistsError(
                f"{self.output} was started from another input or with other settings: what "
                f"differs is {', '.join(changed)}. Remove it, or choose another folder."
            )
        return {name: entry for name, entry in entries.items() if self._is_whole(name, entry)}

    def _is_whole(self, name, entry):
        path = self.output / name
        return path.is_file() and entry == self.entry(path, entry["examples"])

    def __contains__(self, name):
        return name in self.content["files"]

    @staticmethod
    def entry(path, examples):
        """What is noted of a file: its examples, size and CRC-32."""
        crc = 0
        with open(path, "rb") as file:
            while chunk := file.read(CHUNK):
                crc = zlib.crc32(chunk, crc)
        return {"examples": examples, "bytes": path.stat().st_size, "crc32": f"{crc:08x}"}

    def add(self, name, entry):
        """Notes a file that is in its place; from now on it is kept."""
        with self._lock:
            self.content["files"][name] = entry
            self._save()

    def finish(self):
        """Notes that all files are there and checked."""
        with self._lock:
            self.content["complete"] = True
            self.content["files"] = dict(sorted(self.content["files"].items()))
            self._save()

    def _save(self):
        with files.replacing(self.path) as partial:
            partial.write_text(json.dumps(self.content, indent=1) + "\n", "utf-8")
