"""The manifest of a folder in a store: what makes several objects one whole, and is written last.

It lists every file with its size and SHA-256, and the object that holds it: that of the file's own
name or, of one that is just being replaced, `.changed/SHA256`. Manifests may be anybody's: names
and sizes are checked, and hashes compared when files are read.
"""

import dataclasses
import json
import re
from typing import Any

from keras_ghostnet.files import printable

NAME = ".ghostnet.json"  # of the manifest's object
CHANGED = ".changed"
FORMAT = 1
MAX_MANIFEST = 64 << 20  # bytes
MAX_BYTES = 1 << 40  # of a file
MAX_NAME = 900  # characters; S3 takes keys of 1,024 bytes
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclasses.dataclass(frozen=True)
class Entry:
    """A file of a folder.

    Attributes:
        bytes: Its size.
        sha256: 64 hexadecimal digits; None if not known, of a folder without manifest.
        key: The object that holds it, relative to the folder.
        version: What the store tells versions of the object apart by, where there is no hash.
    """

    bytes: int
    sha256: str | None
    key: str
    version: str = ""


@dataclasses.dataclass(frozen=True)
class Manifest:
    """What a folder holds.

    Attributes:
        files: Entries by names, relative with `/` between folders.
        writer: Who writes there, a dictionary of texts; None if nobody does.
    """

    files: dict[str, Entry]
    writer: dict[str, str] | None = None

    def content(self) -> bytes:
        """Its object's content."""
        files = {
            name: {"bytes": entry.bytes, "sha256": entry.sha256, "key": entry.key}
            for name, entry in sorted(self.files.items())
        }
        described = {"format": FORMAT, "writer": self.writer, "files": files}
        return (json.dumps(described, indent=1) + "\n").encode()


def is_name(name: object) -> bool:
    """Whether a text is a relative name that leads nowhere but below the folder."""
    if not isinstance(name, str) or not 0 < len(name) <= MAX_NAME or not name.isprintable():
        return False
    return not any(
        part in ("", ".", "..") or "\\" in part or ":" in part for part in name.split("/")
    )


def parse(content: bytes, url: str) -> Manifest:
    """Reads a manifest that anybody may have written.

    Args:
        content: Of its object.
        url: The folder, for messages.

    Raises:
        ValueError: If it is damaged, or lists what no folder of ours holds.
    """
    try:
        described = json.loads(content)
        if described["format"] != FORMAT:
            raise ValueError(f"format {described['format']!r}, this version reads {FORMAT}")
        files = {name: _entry(name, found) for name, found in described["files"].items()}
        for name in files:
            while "/" in name:
                name = name.rpartition("/")[0]
                if name in files:
                    raise ValueError(f"{name!r} is both a file and a folder")
        writer = described["writer"]
        if writer is not None:
            writer = {str(key): printable(str(text), 100) for key, text in writer.items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(
            f"{printable(f'{url}/{NAME}')}, which says what the folder holds, is damaged "
            f"({printable(str(error) or type(error).__name__, 200)}). Choose another folder, or "
            "remove that object if the files beside it are whole."
        ) from error
    return Manifest(files, writer)


def _entry(name: Any, found: Any) -> Entry:
    size, sha256, key = found["bytes"], found["sha256"], found["key"]
    if not is_name(name) or name.split("/")[0] in (NAME, CHANGED):
        raise ValueError(f"{name!r} is no file's name")
    if type(size) is not int or not 0 <= size <= MAX_BYTES:
        raise ValueError(f"{name} has {size!r} bytes")
    if not isinstance(sha256, str) or not _SHA256.fullmatch(sha256):
        raise ValueError(f"{name} has no SHA-256")
    if key not in (name, f"{CHANGED}/{sha256}"):
        raise ValueError(f"{name} is in {key!r}")
    return Entry(size, sha256, key)
