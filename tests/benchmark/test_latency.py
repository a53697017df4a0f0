"""Timing functions side by side."""

import time

import pytest

from keras_ghostnet.benchmark.latency import measure_latency
from keras_ghostnet.environment import machine


def test_slow_and_fast():
    times = measure_latency(
        {"slow": lambda: time.sleep(0.004), "fast": lambda: None}, calls=20, warmup=1
    )
    assert 4 <= times["slow"].median < 12
    assert times["fast"].median < 1
    for latency in times.values():
        assert latency.p10 <= latency.median <= latency.p90
        assert latency.calls == 20


def test_functions_take_turns():
    calls = []
    functions = {name: (lambda name=name: calls.append(name)) for name in "ab"}
    times = measure_latency(functions, calls=3, burst=2, warmup=1)
    assert "".join(calls) == "ab" + "aabb" * 2
    assert times["a"].calls == 4  # whole bursts


def test_an_outlier_does_not_move_the_median():
    pauses = iter([0.05] + [0.001] * 99)
    latency = measure_latency({"f": lambda: time.sleep(next(pauses))}, calls=20, warmup=0)["f"]
    assert latency.median < 20


@pytest.mark.parametrize("arguments", [dict(calls=0), dict(burst=0)])
def test_arguments_out_of_range(arguments):
    with pytest.raises(ValueError, match="must be positive"):
        measure_latency({}, **arguments)


def test_machine():
    found = machine()
    assert found["cores"] >= 1
    assert found["cpu"]
    assert {"system", "python", "keras", "tensorflow", "ai-edge-litert"} <= set(found)
