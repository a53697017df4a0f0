"""What the C library does with memory that is freed."""

import ctypes
import os

# Options of glibc's `mallopt`, from its malloc.h, and what they are set to, in bytes.
TRIM_THRESHOLD, KEPT = -1, 1 << 30  # freed memory at a heap's end that is kept
MMAP_THRESHOLD, MAPPED = -3, 32 << 20  # from here on, what is allocated is mapped and unmapped
SETTINGS = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_")  # of the environment
TUNABLES = "GLIBC_TUNABLES"


def keep_freed_memory() -> None:
    """Has the C library keep what is freed, for what is allocated next.

    Of its own accord glibc gives the memory of a batch of images back to the system, which fills
    it with zeros, page by page, for the next batch. Only glibc is told, and not if the environment
    says otherwise: by a variable of `SETTINGS`, or by `GLIBC_TUNABLES` on malloc.
    """
    if any(name in os.environ for name in SETTINGS) or "malloc" in os.environ.get(TUNABLES, ""):
        return
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # another C library, or another system
        return
    mallopt(MMAP_THRESHOLD, MAPPED)
    mallopt(TRIM_THRESHOLD, KEPT)
