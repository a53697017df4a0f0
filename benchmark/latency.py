"""How long functions take, measured side by side."""

import dataclasses
from collections.abc import Callable

import numpy as np

from keras_ghostnet.export.device import run


@dataclasses.dataclass(frozen=True)
class Latency:
    """The time one call takes, in milliseconds.

    Attributes:
        median: Half of the calls were faster.
        p10, p90: A tenth of the calls were faster, a tenth slower.
        calls: The number of calls that were timed.
    """

    median: float
    p10: float
    p90: float
    calls: int


def measure_latency(
    functions: dict[str, Callable[[], object]],
    *,
    calls: int = 100,
    burst: int = 10,
    warmup: int = 10,
) -> dict[str, Latency]:
    """Times functions in turn, so that a busy spell of the machine meets all of them alike.

    The rounds are those of `keras_ghostnet.export.device.run`. Medians resist what else the
    machine does; the spread shows it.

    Args:
        functions: By name, functions without arguments.
        calls: The number of calls to time of each function, rounded up to whole bursts.
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
    *_, times = run.rounds(functions, calls, burst, warmup)
    return {name: _latency(values) for name, values in times.items()}


def _latency(values):
    p10, median, p90 = np.percentile(values, (10, 50, 90))
    return Latency(float(median), float(p10), float(p90), len(values))
