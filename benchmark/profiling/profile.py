"""Profiles of `.tflite` files."""

import dataclasses
import importlib.metadata
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
from rich.console import Console

from keras_ghostnet.benchmark.comparison.cache import Cache
from keras_ghostnet.benchmark.comparison.compared_networks import resolve_networks
from keras_ghostnet.benchmark.comparison.measure import warn_of_threads
from keras_ghostnet.benchmark.profiling import attribution, events, operators
from keras_ghostnet.console import step
from keras_ghostnet.defaults import keras_defaults
from keras_ghostnet.environment import machine
from keras_ghostnet.export.device import run
from keras_ghostnet.export.tflite import inspection
from keras_ghostnet.quiet import quiet
from keras_ghostnet.training.settings import Count, Threads, within_ranges

NOISY = 1.25
LEAST = (2, 2)  # the version of LiteRT whose C API has what is called


@dataclasses.dataclass(frozen=True)
class Row:
    """An operator with its time.

    Attributes:
        operator: `keras_ghostnet.benchmark.profiling.operators.Operator`.
        work: What XNNPACK ran for it, such as `"Fully Connected (NC, F32) GEMM"`; empty if it
            has merged the operator into a neighbor.
        microseconds: Of a call.
    """

    operator: operators.Operator
    work: str
    microseconds: float


@dataclasses.dataclass(frozen=True)
class Profile:
    """Where a network's time goes. All times are averages over the middle half of the calls.

    Attributes:
        name: What the user named, of a `.tflite` file without its suffix.
        format: `"fp32"`, `"fp16"` or `"int8"`.
        threads, calls: As they were asked for, and were timed.
        rows: A list of `Row`, in the file's order.
        other: Microseconds of work that belongs to none of the file's operators.
        resolution: Microseconds that the sum of the rows may lack: LiteRT cuts every operator's
            time to whole ones, half of one on average.
        profiled: Microseconds of a whole call in which operators were timed.
        plain: Microseconds of a whole call without that, measured in turn with it.
        machine: `keras_ghostnet.environment.machine()`.
    """

    name: str
    format: str
    threads: int
    calls: int
    rows: list
    other: float
    resolution: float
    profiled: float
    plain: float
    machine: dict

    @property
    def title(self) -> str:
        """What was profiled, and how long a call takes."""
        threads = f"{self.threads} {'thread' if self.threads == 1 else 'threads'}"
        return f"{self.name}, {self.format}, {threads}: {self.plain / 1e3:.2f} ms a call"

    @property
    def total(self) -> float:
        """Microseconds of all operators together."""
        return sum(row.microseconds for row in self.rows) + self.other

    @property
    def is_noisy(self) -> bool:
        """Whether other work interrupted most calls: they took far longer than their operators."""
        return self.plain > NOISY * (self.total + self.resolution)

    def slowest(self, most: int) -> list[Row]:
        """The slowest rows, a list of at most so many `Row`, the slowest first."""
        return sorted(self.rows, key=lambda row: -row.microseconds)[:most]

    def by_type(self) -> "list[Sum]":
        """Operators of the same type together.

        Returns:
            A list of `Sum`, the slowest first.
        """
        sums: dict[str, list[Row]] = {}
        for row in self.rows:
            sums.setdefault(row.operator.type, []).append(row)
        result = [
            Sum(
                name,
                len(rows),
                sum(row.microseconds for row in rows),
                sum(row.operator.macs or 0 for row in rows) or None,
            )
            for name, rows in sums.items()
        ]
        return sorted(result, key=lambda entry: -entry.microseconds)


@dataclasses.dataclass(frozen=True)
class Sum:
    """All operators of a type.

    Attributes:
        type: As `operators.Operator.type`.
        count: The number of operators.
        microseconds: Of a call, together.
        macs: Multiply-adds together; None where there are none.
    """

    type: str
    count: int
    microseconds: float
    macs: int | None


@within_ranges
@keras_defaults()
def profile(
    model: str | os.PathLike[str],
    *,
    format: str = "fp32",
    threads: Threads = 1,
    calls: Count = 200,
    trust_model: bool = False,
    console: Console | None = None,
) -> Profile:
    """Times a network's operators one by one, as they run under XNNPACK.

    Args:
        model: A `.tflite` file, or what becomes one: a network of the tables, with random weights,
            a run's folder (its best model), or a `.keras` file.
        format: `"fp32"`, `"fp16"` or `"int8"`: what the model is exported to, unless it is a
            `.tflite` file.
        threads: The number of threads of LiteRT.
        calls: The number of calls to time.
        trust_model: Whether the model's file may run code, as
            `keras_ghostnet.model_file.load_model`.
        console: Shows progress; None prints nothing.

    Returns:
        The profile.

    Raises:
        ChildProcessError: If LiteRT's profiler fails.
        FileNotFoundError: If there is no such file.
        ImportError: If LiteRT is missing or too old.
        ValueError: If a number is not positive, there is no such network, or the file is not a
            network of one image.
    """
    require_profiler()
    warn_of_threads(threads, machine()["cores"], console)
    with quiet(unless=()):
        (network,) = resolve_networks([str(model)], "paper", trust_model)
        with step(console, "Exporting") as done:
            (export,) = Cache().exports(network, [("litert", format)])
            done(f"profiling {export.path}")
        return _profile_export(export, threads, calls)


def _profile_export(export, threads, calls):
    """LiteRT's own profiler times the operators, within XNNPACK, in a process of its own."""
    found = operators.read_operators(export.path.read_bytes())
    measured = _measure(export.path, threads, calls)
    names = measured["names"]
    places = attribution.attribute(names, [operator.name for operator in found])
    times = _middle(measured["microseconds"])
    return Profile(
        name=export.model,
        format=export.format,
        threads=threads,
        calls=len(measured["profiled"]),
        rows=[_row(operator, names, times, places) for operator in found],
        other=float(sum(time for time, place in zip(times, places, strict=True) if place is None)),
        resolution=len(names) / 2,
        profiled=1e3 * float(_middle(measured["profiled"])),
        plain=1e3 * float(_middle(measured["plain"])),
        machine=machine(),
    )


def require_profiler():
    """Refuses a LiteRT without a profiler, or none; errors as `profile`."""
    inspection.schema_module()  # refuses a missing LiteRT
    version = importlib.metadata.version("ai-edge-litert")
    if tuple(map(int, version.split(".")[:2])) < LEAST:
        needed = ".".join(map(str, LEAST))
        raise ImportError(
            f"Profiling needs LiteRT {needed} or later. Found {version}. Install it with: "
            f'pip install "ai-edge-litert>={needed}"'
        )


def _row(operator, names, times, places):
    own = [i for i, place in enumerate(places) if place == operator.index]
    work = " + ".join(dict.fromkeys(names[i] for i in own))
    return Row(operator, work, float(sum(times[i] for i in own)))


def _middle(values):
    """The mean over the calls without the fastest and the slowest quarter of them.

    As robust as the median, and finer than the whole microseconds that LiteRT reports.
    """
    values = np.sort(values, axis=0)
    cut = len(values) // 4
    return values[cut : len(values) - cut].mean(axis=0)


def _measure(path, threads, calls):
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "measured.json"
        # By its path: as a module of the package it would load Keras first.
        command = [sys.executable, events.__file__, path, threads, calls, out, os.getpid()]
        done = subprocess.run([*map(str, command)], capture_output=True, text=True)
        if done.returncode:
            lines = done.stderr.strip().splitlines()
            is_word = done.returncode > 0 and lines
            reason = lines[-1] if is_word else f"it {run.cause(done.returncode)}"
            raise ChildProcessError(
                f"LiteRT's profiler failed on {path}: {reason}. The version of LiteRT is "
                f"{importlib.metadata.version('ai-edge-litert')}."
            )
        return json.loads(out.read_text())
