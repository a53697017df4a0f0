"""What is measured side by side, kept when it is interrupted, and called disturbed."""

import io
import os
import pathlib
import subprocess
import sys
import time

import pytest
from rich.console import Console

from keras_ghostnet.benchmark.comparison import measure, results
from keras_ghostnet.export.device import run
from keras_ghostnet.export.device.conditions import Conditions, summary

FIELDS = dict(format="fp32", threads=1, size=32, batch=1, bytes=1, parameters=2, macs=3, sha256="")


def start(folder, calls=20, plan=("plan",), **options):
    return measure.MeasurementRun(
        folder,
        plan,
        device="cpu",
        runtime="litert",
        versions="a 1",
        calls=calls,
        console=Console(file=io.StringIO()),
        **options,
    )


def group(*names):
    return {name: {"model": name, **FIELDS} for name in names}


class Calls:
    """Functions that note the order in which they are called, and may be interrupted."""

    def __init__(self, interrupt_at=None):
        self.order, self.interrupt_at = [], interrupt_at

    def functions(self, *names):
        return {name: lambda name=name: self.call(name) for name in names}

    def call(self, name):
        self.order.append(name)
        if len(self.order) == self.interrupt_at:
            raise KeyboardInterrupt
        time.sleep(1e-4 if name == "fast" else 3e-4)


def test_models_take_turns(tmp_path):
    calls = Calls()
    fast, slow = start(tmp_path).measure(
        "g", group("fast", "slow"), calls.functions("fast", "slow")
    )
    burst = measure.BURST + measure.LEAD
    warm = ["fast"] * measure.WARMUP + ["slow"] * measure.WARMUP
    assert calls.order == warm + 2 * (["fast"] * burst + ["slow"] * burst)
    assert (fast.calls, fast.unit, fast.model) == (20, "ms", "fast")
    assert 0.1 <= fast.p10 <= fast.median <= fast.p90
    assert slow.median > fast.median
    assert "MHz" in fast.conditions


def test_an_interrupted_run_goes_on(tmp_path):
    first = Calls(interrupt_at=20 + 22 + 5)  # in the second of two rounds
    interrupted = start(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        interrupted.measure("g", group("a", "b"), first.functions("a", "b"))
    assert not interrupted.csv.exists()
    kept = {name: list(values) for name, values in interrupted.times["g"].items()}
    assert [len(values) for values in kept.values()] == [13, 10]

    second, continued = Calls(), start(tmp_path)
    assert continued.resumed
    measured = continued.measure("g", group("a", "b"), second.functions("a", "b"))
    assert len(second.order) == 2 * measure.WARMUP + 2 * (measure.BURST + measure.LEAD)
    assert [measurement.calls for measurement in measured] == [23, 20]
    assert continued.times["g"]["a"][:13] == kept["a"]
    assert {measurement.run for measurement in measured} == {interrupted.start}
    continued.finish()
    assert results.read_measurements(continued.csv) == measured
    assert [path.name for path in tmp_path.iterdir()] == [continued.csv.name]


def test_finished_groups_are_not_measured_again(tmp_path):
    calls = Calls()
    start(tmp_path).measure("g", group("a"), calls.functions("a"))
    count = len(calls.order)
    continued = start(tmp_path)  # the first never came to its end
    assert len(continued.measure("g", group("a"), calls.functions("a"))) == 1
    assert len(calls.order) == count
    assert len(results.read_measurements(continued.csv)) == 1
    continued.measure("h", group("a"), calls.functions("a"))
    assert len(calls.order) > count


@pytest.mark.parametrize("change", [dict(plan=("other",)), dict(calls=30), dict(force=True)])
def test_what_is_another_run(change, tmp_path):
    start(tmp_path).measure("g", group("a"), Calls().functions("a"))
    assert start(tmp_path).resumed
    assert not start(tmp_path, **change).resumed


def test_a_csv_of_another_schema(tmp_path):
    (tmp_path / results.file_name("cpu", "litert")).write_text("schema,run\n0,1\n")
    with pytest.raises(ValueError, match="schema 0, expected 2"):
        start(tmp_path)


@pytest.mark.parametrize(
    ("times", "others", "noisy"),
    [
        ([1.0] * 95 + [2.0] * 5, 0.0, False),  # a few slow calls are nothing
        ([1.0] * 85 + [1.3] * 15, 0.0, True),
        ([1.0] * 85 + [1.2] * 15, 0.0, False),
        ([1.0] * 100, 0.2, True),
        ([1.0] * 100, None, False),
    ],
)
def test_what_is_noisy(times, others, noisy):
    figures = summary(times, others)
    assert figures["noisy"] == noisy
    assert (figures["median"], figures["calls"]) == (1.0, 100)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_load_of_others_and_not_one_s_own():
    """A process that is busy, in all of what else the machine does, and then this one."""
    busy = "import time; end = time.time() + 1\nwhile time.time() < end: pass"
    before = Conditions()
    subprocess.run([sys.executable, "-c", busy], check=True)
    assert before.others() > 0.3
    watched, start, clock = Conditions(), time.process_time(), time.monotonic()
    while time.process_time() < start + 0.5:
        pass
    others, cores = watched.others(), len(watched.cores)
    own = 0.5 / (time.monotonic() - clock)  # cores; of a machine that is full of work, few
    assert others < cores - own / 2  # this process is not among them


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity")
def test_cores_are_those_that_the_process_may_use():
    code = (
        "import os; os.sched_setaffinity(0, {0})\n"
        "import conditions\n"
        "here = conditions.Conditions(); print(here.cores, here.describe(0.0))"
    )
    folder = pathlib.Path(run.__file__).parent  # as on a device
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("[0] cores 0 (in the end 0); MHz ")
    assert "others 0.00 cores" in done.stdout


def test_more_threads_than_cores():
    console = Console(file=io.StringIO())
    measure.warn_of_threads(2, 2, console)
    assert console.file.getvalue() == ""
    measure.warn_of_threads(3, 2, console)
    assert "3 threads on 2 cores" in console.file.getvalue()
