"""The machine and the library versions that a result depends on."""

import importlib.metadata
import os
import pathlib
import platform

LIBRARIES = ("keras_ghostnet", "keras", "tensorflow", "ai-edge-litert", "numpy")


def machine():
    """What a figure depends on.

    Returns:
        A dict of strings and one integer: `cpu` (its name), `cores` that this process may use,
        `system`, `python`, and the version of every installed library of `LIBRARIES`.
    """
    return {
        "cpu": _cpu_name(),
        "cores": _cores(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
        **{name: version for name in LIBRARIES if (version := _version(name))},
    }


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


def _version(library):
    try:
        return importlib.metadata.version(library)
    except importlib.metadata.PackageNotFoundError:
        return None
