"""Opens HDF5 files that a process of its own could read: it alone ends if the library crashes.

HDF5's library trusts what a file says of itself: of a damaged one, the text of an attribute may lie
outside of memory, or a list never end. As a script, this file is that process: it reads all that
each file holds, of which it gets the length and the bytes, and answers with a line of JSON.
"""

import atexit
import contextlib
import io
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from typing import IO

import h5py

SECONDS, MEMORY = 10, 4 << 30
HEADER = 8  # bytes of a file's length
_lock = threading.Lock()
_readers: list[subprocess.Popen[bytes]] = []  # the one that runs; none at first


class UnsoundError(ValueError):
    """HDF5's library cannot read a file, crashes at it, or never ends."""


def open_sound(file: IO[bytes]) -> h5py.File:
    """Opens a file after another process has read it whole.

    Args:
        file: An open file of HDF5, which can be sought in.

    Returns:
        The `h5py.File`, to be read.

    Raises:
        UnsoundError: If HDF5's library crashes at it, takes more than `SECONDS` or `MEMORY` bytes,
            or cannot read it.
    """
    with _lock:
        require_sound(file)
    file.seek(0)
    return h5py.File(file, "r")


def require_sound(file):
    """Has the other process read a file."""
    reader, is_late = _start(), threading.Event()

    def stop():
        is_late.set()
        reader.kill()

    timer = threading.Timer(SECONDS, stop)
    try:
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        with contextlib.suppress(BrokenPipeError):
            reader.stdin.write(size.to_bytes(HEADER, "big"))
            shutil.copyfileobj(file, reader.stdin)
            reader.stdin.flush()
        timer.start()  # not before: a large file on a slow disk takes its time to get there
        answer = reader.stdout.readline()
    except BaseException:  # what is left in the pipes belongs to no other file
        _end()
        raise
    finally:
        timer.cancel()
    if not answer.endswith(b"\n"):
        _end()
        if is_late.is_set():
            raise UnsoundError(f"HDF5's library takes more than {SECONDS} s to read it")
        raise UnsoundError("HDF5's library crashes at it")
    reason = json.loads(answer)
    if reason is not None:
        raise UnsoundError(reason)


def _start():
    """The process, which is started for the first file, and after one that ended it."""
    if not _readers or _readers[0].poll() is not None:
        _end()
        command, pipe = [sys.executable, "-I", __file__], subprocess.PIPE
        _readers.append(
            subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL)
        )
    return _readers[0]


@atexit.register
def _end():
    while _readers:
        reader = _readers.pop()
        reader.kill()
        with contextlib.suppress(BrokenPipeError):
            reader.communicate()


def read_all(file):
    """Reads all attributes and values of a file."""
    with h5py.File(file, "r") as root:
        dict(root.attrs)
        root.visititems(lambda name, item: _read(item))


def _read(item):
    dict(item.attrs)
    if isinstance(item, h5py.Dataset) and item.dtype.hasobject:
        item[()]  # of numbers, none is a reference


def _limit(name, value):
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        limit = getattr(resource, name)
        resource.setrlimit(limit, (value, resource.getrlimit(limit)[1]))


def serve():
    """The process's work, until its standard input ends."""
    _limit("RLIMIT_DATA", MEMORY)
    _limit("RLIMIT_CORE", 0)
    while header := sys.stdin.buffer.read(HEADER):
        content, reason = sys.stdin.buffer.read(int.from_bytes(header, "big")), None
        _limit("RLIMIT_CPU", int(time.process_time()) + SECONDS + 1)  # if nobody is left to end it
        try:
            read_all(io.BytesIO(content))
        except Exception as error:  # whatever h5py raises
            reason = (str(error).strip().splitlines() or [type(error).__name__])[-1]
        print(json.dumps(reason), flush=True)


if __name__ == "__main__":
    serve()
