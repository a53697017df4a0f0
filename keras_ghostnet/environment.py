"""The machine and the library versions that a result depends on."""

import contextlib
import importlib.metadata
import os
import pathlib
import platform

from keras_ghostnet.version import __version__

LIBRARIES = ("keras_ghostnet", "keras", "tensorflow", "ai-edge-litert", "numpy")


def machine() -> dict[str, str | int]:
    """What a figure depends on.

    Returns:
        A dict of strings and one integer: `cpu` (its name), `cores` that this process may use,
        `system`, `python`, and the version of every installed library of `LIBRARIES`.
    """
    return {
        "cpu": _cpu_name(),
        "cores": _cores(),
        "system": system(),
        **versions("python", *LIBRARIES),
    }


def system() -> str:
    """The operating system, its release and the architecture, e.g. `"Linux 6.1.0 x86_64"`."""
    return f"{platform.system()} {platform.release()} {platform.machine()}"


def versions(*names: str) -> dict[str, str]:
    """Versions of packages.

    Args:
        *names: As `pip` calls them, and `"python"` for the interpreter.

    Returns:
        A dict from those that are installed to their versions, in the given order.
    """
    found = {}
    for name in names:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = _version(name)
    return found


def _cpu_name():
    """The name in /proc/cpuinfo, where there is one: `platform` knows the architecture alone."""
    cpuinfo = pathlib.Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()


def _cores():
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count()


def _version(name):
    if name == "python":
        return platform.python_version()
    if name == "keras_ghostnet":  # a checkout may be newer than what was installed from it
        return __version__
    return importlib.metadata.version(name)
