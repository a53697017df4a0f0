"""Reads an HDF5 file once in a process of its own, which alone ends if the library crashes at it.

HDF5's library trusts what a file says of itself: of a damaged one, the text of an attribute may lie
outside of memory, or a list never end. As a script, this file reads all that a file holds.
"""

import contextlib
import os
import subprocess
import sys

import h5py

SECONDS, MEMORY = 20, 4 << 30


def require_sound(path: str | os.PathLike[str]) -> None:
    """Refuses a file at which HDF5's library crashes, or that it cannot read.

    Args:
        path: An HDF5 file, which is read as a whole.

    Raises:
        ValueError: If it crashes, takes more than `SECONDS` or `MEMORY` bytes, or cannot be read.
    """
    command = [sys.executable, "-I", __file__, os.fspath(path)]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=SECONDS
        )
    except subprocess.TimeoutExpired:
        raise ValueError(f"HDF5's library takes more than {SECONDS} s to read it") from None
    if done.returncode < 0:
        raise ValueError("HDF5's library crashes at it: it is damaged, or made to do that")
    if done.returncode:
        raise ValueError((done.stderr.strip().splitlines() or ["it cannot be read"])[-1])


def read_all(path):
    """Reads all attributes and values of a file."""
    with h5py.File(path, "r") as root:
        dict(root.attrs)
        root.visititems(lambda name, item: _read(item))


def _read(item):
    dict(item.attrs)
    if isinstance(item, h5py.Dataset) and item.dtype.hasobject:
        item[()]  # of numbers, none is a reference


if __name__ == "__main__":
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    read_all(sys.argv[1])
