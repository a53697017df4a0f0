"""Measures side by side, and keeps what an interrupted run has measured."""

import hashlib
import json
import pathlib
import time

from keras_ghostnet import environment, files
from keras_ghostnet.benchmark.comparison import results
from keras_ghostnet.benchmark.comparison.runtimes import RUNTIMES
from keras_ghostnet.console import progress
from keras_ghostnet.export.device import run
from keras_ghostnet.export.device.conditions import (
    MAX_OTHERS,
    MAX_SPREAD,
    Conditions,
    now,
    summary,
)

BURST, WARMUP = 10, 10
LEAD = 1  # calls in front of a burst, which find the caches as the other models left them
SAVE_SECONDS = 5.0
PACKAGES = {  # that make and run the networks, by runtime
    **{name: (one.package, "keras", "tensorflow") for name, one in RUNTIMES.items()},
    "tensorflow": ("keras", "tensorflow"),
    "jax": ("keras", "jax"),
    "torch": ("keras", "torch"),
}


class MeasurementRun:
    """One run: groups of models that are timed in turn, appended to the device's CSV.

    Until the last group is finished, all times are kept in a file beside the CSV, and a run of
    the same `plan` resumes from there.

    Args:
        folder: Of the CSV.
        plan: What distinguishes this run from others, as JSON can hold it.
        device: Name of the processor or card.
        runtime, versions: As in `results.Measurement`; of several runtimes, their names with a
            hyphen.
        calls: The number of calls to time of each model.
        console: A `rich.console.Console` for progress.
        force: Whether to restart an interrupted run.

    Attributes:
        csv: The path of the CSV.
        resumed: Whether this resumes an interrupted run.

    Raises:
        ValueError: If the CSV is not one of this schema.
    """

    def __init__(self, folder, plan, *, device, runtime, versions, calls, console, force=False):
        self.csv = pathlib.Path(folder) / results.file_name(device, runtime)
        self.known = results.read_existing(self.csv)
        self.facts = dict(device=device, runtime=runtime, versions=versions)
        self.calls, self.console = calls, console
        digest = hashlib.sha256(json.dumps([plan, calls, self.facts]).encode()).hexdigest()
        self.kept = self.csv.with_name(f".unfinished-{digest[:16]}.json")
        if force:
            self.kept.unlink(missing_ok=True)
        state = _read(self.kept)
        self.resumed = state is not None
        self.start, self.times, self.others = state or (now(), {}, {})
        self.saved = time.monotonic()
        if self.resumed:
            console.print(f"Resuming the run of {self.start}", soft_wrap=True)

    def measure(self, group, networks, functions):
        """Times the models of a group, or takes what the unfinished run has of it.

        Args:
            group: Its name; another for every group of the run.
            networks: A dict of names and fields of `results.Measurement`, dictionaries: all that
                is not measured; their runtime and versions count before the run's.
            functions: A dict of the same names and functions without arguments, to be timed.

        Returns:
            A list of `results.Measurement`, which the CSV has.
        """
        times = self.times.setdefault(group, {name: [] for name in networks})
        if min(map(len, times.values())) < self.calls:
            self._time(group, functions, times)
        others, described = self.others[group]
        measured = []
        for name, fields in networks.items():
            figures = summary(times[name], others)
            figures["noisy"] = bool(figures["noisy"])
            facts = dict(run=self.start, unit="ms", conditions=described, **self.facts)
            measured.append(results.Measurement(**{**facts, **fields}, **figures))
        new = [measurement for measurement in measured if measurement not in self.known]
        if new:
            results.append_measurements(self.csv, new)
        self.known += new
        return measured

    def finish(self):
        """Removes what was kept: all is in the CSV."""
        self.kept.unlink(missing_ok=True)

    def _time(self, group, functions, times):
        conditions = Conditions()
        try:
            doing = f"measuring {len(functions)} models, {group}"
            with progress(self.console, doing, self.calls) as show:
                for _ in run.rounds(functions, self.calls, BURST, WARMUP, LEAD, times):
                    show(min(map(len, times.values())))
                    if time.monotonic() - self.saved > SAVE_SECONDS:
                        self._save(group, conditions)
        finally:
            self._save(group, conditions)

    def _save(self, group, conditions):
        # Of a run in several parts the busiest counts.
        parts = (conditions.others(), self.others.get(group, [None])[0])
        others = max((part for part in parts if part is not None), default=None)
        self.others[group] = [others, conditions.describe(others)]
        with files.replacing(self.kept) as partial:
            partial.write_text(json.dumps([self.start, self.times, self.others]), "utf-8")
        self.saved = time.monotonic()


def describe_versions(runtime, how):
    """The package, what made and ran the networks, and the system, with semicolons.

    Args:
        runtime: As in `keras_ghostnet.benchmark.comparison.results.Measurement`.
        how: What networks were made into: the target of the files, or the way they are compiled.
    """
    found = environment.versions("keras_ghostnet", *PACKAGES[runtime], "python")
    found["keras_ghostnet"] += f" ({how})"
    return "; ".join((*map(" ".join, found.items()), environment.system()))


def warn_of_threads(threads, cores, console):
    """Warns of more threads than cores, which wait for each other."""
    if console is not None and threads > cores:
        console.print(
            f"Warning: {threads} threads on {cores} {'core' if cores == 1 else 'cores'} wait for "
            "each other.",
            style="yellow",
        )


def explain_noise(measurements, console):
    """Says so if other work disturbed measurements."""
    noisy = [measurement for measurement in measurements if measurement.noisy]
    if console is not None and noisy:
        console.print(
            f"Noisy: {len(noisy)} of {len(measurements)} measurements. Others used more than "
            f"{MAX_OTHERS} of a core, or a tenth of a model's calls took {MAX_SPREAD} "
            "times as long as its fastest tenth. Close other programs, or choose cores with "
            "taskset.",
            style="yellow",
            soft_wrap=True,
        )


def _read(path):
    """Start, times and conditions of an unfinished run; None if there is none."""
    try:
        start, times, conditions = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, TypeError):
        return None
    return start, times, conditions
