"""How long functions take, measured side by side."""

import dataclasses
import time

import numpy as np


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


def _summary(values):
    p10, median, p90 = np.percentile(values, (10, 50, 90))
    return Latency(float(median), float(p10), float(p90), len(values))
