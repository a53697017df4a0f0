"""Zip archives, looked into but never extracted.

A checkpoint's zip is written by one library in one way, so whatever zip offers beyond that is
refused before a byte is read: names that leave the folder, links, overlaps, encryption, sizes
that do not add up.
"""

import stat
import zipfile

from keras_ghostnet.weights.readers.checkpoint import check_expansion, refusal, shown

SIGNATURES = (b"PK\x03\x04", b"PK\x05\x06")

_LOCAL_HEADER = 30  # bytes before the member's name
_ENCRYPTED = 0x1
_HOSTILE = "The archive was not written by PyTorch or Keras: do not use it."


class Archive:
    """A zip archive whose table of contents was checked.

    Args:
        file: The open file.
        size: Its size in bytes.

    Attributes:
        names: The names of all members.

    Raises:
        CheckpointError: If a member is one that neither PyTorch nor Keras would write.
    """

    def __init__(self, file, size):
        self._zip = zipfile.ZipFile(file)
        self._members = _checked_members(self._zip.infolist(), size)
        self.names = frozenset(self._members)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._zip.close()

    def read(self, name, compressed=False):
        """Returns the content of a member.

        Args:
            name: The member.
            compressed: Whether it may be deflated; if so, only within `check_expansion`.

        Raises:
            CheckpointError: If the member is missing, compressed, a bomb, or cut short.
        """
        info = self._members.get(name)
        if info is None:
            raise refusal(f"no member {shown(name)} in the archive", "every tensor's data there")
        if info.compress_type == zipfile.ZIP_DEFLATED and compressed:
            check_expansion(info.file_size, info.compress_size, f"member {shown(name)}")
        elif info.compress_type != zipfile.ZIP_STORED or info.file_size != info.compress_size:
            raise refusal(
                f"member {shown(name)} in compressed form", "members stored as they are", _HOSTILE
            )
        with self._zip.open(info) as member:
            # The size must be given: a read to the end would unfold more than was declared.
            content = member.read(info.file_size)
        if len(content) != info.file_size:
            raise refusal(
                f"{len(content)} bytes in member {shown(name)}", f"the declared {info.file_size}"
            )
        return content


def _checked_members(infos, size):
    members = {}
    for info in infos:
        _check_name(info.filename)
        if info.filename in members:
            raise refusal(f"member {shown(info.filename)} twice", "distinct members", _HOSTILE)
        if stat.S_ISLNK(info.external_attr >> 16):
            raise refusal(f"member {shown(info.filename)}, a link", "plain members", _HOSTILE)
        if info.flag_bits & _ENCRYPTED:
            raise refusal("an encrypted archive", "a plain one", "Decrypt the file first.")
        members[info.filename] = info
    _check_extents(infos, size)
    return members


def _check_name(name):
    parts = name.split("/")
    if name.startswith("/") or "\\" in name or ":" in parts[0] or ".." in parts or "\0" in name:
        raise refusal(f"member {shown(name)}", "names that stay inside the archive", _HOSTILE)


def _check_extents(infos, size):
    """Refuses members that overlap or reach past the end: how small bombs are made large."""
    end = 0
    for info in sorted(infos, key=lambda info: info.header_offset):
        if info.header_offset < end:
            name = shown(info.filename)
            raise refusal(f"member {name} overlapping another one", "separate members", _HOSTILE)
        name_bytes = len(info.filename.encode("utf-8", "surrogatepass"))
        end = info.header_offset + _LOCAL_HEADER + name_bytes + info.compress_size
    if end > size:
        raise refusal(f"members that end at byte {end}", f"at most the file's {size} bytes")
