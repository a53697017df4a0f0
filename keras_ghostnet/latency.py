"""How long functions take, measured side by side, and the machine they ran on."""

import dataclasses
import importlib.metadata
import os
import pathlib
import platform
import time

import numpy as np

LIBRARIES = ("keras_ghostnet", "keras", "tensorflow", "ai-edge-litert", "numpy")


@dataclasses.dataclass(frozen=True)
class Latency:
    """The time one call takes, in milliseconds.

    Attributes:
        median: Half of the calls were faster.
        p10, p90: A tenth of the calls were faster, a tenth slower.
        calls: How many calls were timed.
    """

    median: float
    p10: float
    p90: float
    calls: int


def measure(functions, *, calls=100, burst=10, warmup=10):
    """Times functions in turn, so that a busy spell of the machine meets all of them alike.

    In every round each function runs `burst` times in a row: its data is in the caches, as in
    steady use. Medians resist what else the machine does; the spread shows it.

    Args:
        functions: A dict of names and functions without arguments.
        calls: How many calls of each function to time, rounded up to whole bursts.
        burst: Calls in a row.
        warmup: Calls of each function that are not timed, for what is set up on first use.

    Returns:
        A dict of the same names and `Latency`.

    Raises:
        ValueError: If `calls` or `burst` is not positive.
    """
    if calls < 1 or burst < 1:
        raise ValueError(
            f"`calls` and `burst` must be positive. Received: calls={calls}, burst={burst}."
        )
    times = {name: [] for name in functions}
    for function in functions.values():
        for _ in range(warmup):
            function()
    for _ in range(-(-calls // burst)):
        for name, function in functions.items():
            for _ in range(burst):
                start = time.perf_counter_ns()
                function()
                times[name].append((time.perf_counter_ns() - start) / 1e6)
    return {name: _summary(values) for name, values in times.items()}


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


def _summary(values):
    p10, median, p90 = np.percentile(values, (10, 50, 90))
    return Latency(float(median), float(p10), float(p90), len(values))


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
