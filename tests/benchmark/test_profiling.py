"""Times of operators, against what is known of them otherwise."""

import csv
import importlib.metadata
import re
import subprocess
import sys

import keras
import numpy as np
import PIL.Image
import pytest

from keras_ghostnet import count_macs
from keras_ghostnet.benchmark.profiling import events, operators, show
from keras_ghostnet.benchmark.profiling.attribution import attribute
from keras_ghostnet.benchmark.profiling.profile import Profile, Row, profile
from keras_ghostnet.export import tflite
from keras_ghostnet.export.formats import get_format, write
from keras_ghostnet.export.graph import deploy, for_tracing
from keras_ghostnet.quiet import quiet
from tests.export.command import ghostnet

GEMM, DEPTHWISE = "Fully Connected (NC, F32) GEMM", "Convolution (NHWC, F32) DWConv"
COPY, CLAMP, PAD = "Copy (NC, X32)", "Clamp (NC)", "Constant Pad (ND, X32)"

# Operators of a file, and the names that XNNPACK gave, each with the place of its operator.
ATTRIBUTIONS = {
    "one each": (["CONV_2D", "ADD"], [(GEMM, 0), ("Add (ND)", 1)]),
    "a ghost module": (
        ["CONV_2D", "DEPTHWISE_CONV_2D", "CONCATENATION", "CONV_2D"],
        [(GEMM, 0), (DEPTHWISE, 1), (COPY, 2), (GEMM, 3)],
    ),
    "a merged pad, and one that is not": (
        ["PAD", "CONV_2D", "PAD", "MAX_POOL_2D"],
        [("Convolution (NHWC, F32) IGEMM", 1), (PAD, 2), ("Max Pooling (NHWC, F32)", 3)],
    ),
    "several of one": (
        ["ADD", "MEAN", "FULLY_CONNECTED"],
        [
            ("Add (ND)", 0),
            (CLAMP, 0),
            ("Mean (ND) Reduce2", 1),
            ("Static Reshape (NC)", 1),
            (GEMM, 2),
        ],
    ),
    "a concatenation in place": (
        ["CONCATENATION", "CONV_2D", "CONCATENATION", "ADD"],
        [(GEMM, 1), (COPY, 2), (COPY, 2), ("Add (ND)", 3)],
    ),
    "not in XNNPACK": (["CONV_2D", "GATHER", "ADD"], [(GEMM, 0), ("GATHER", 1), ("Add (ND)", 2)]),
    "a name not known": (["CONV_2D", "SIN", "ADD"], [(GEMM, 0), ("Sine", 1), ("Add (ND)", 2)]),
    "nothing of the file": (["CONV_2D"], [(GEMM, 0), ("Softmax (NC, F32)", None)]),
}


@pytest.mark.parametrize("case", ATTRIBUTIONS)
def test_attribution(case):
    names, expected = ATTRIBUTIONS[case]
    assert attribute([work for work, _ in expected], names) == [place for _, place in expected]


@pytest.fixture(scope="module")
def deployed(small):
    with quiet():
        return for_tracing(deploy(small))


@pytest.fixture(scope="module", params=["tflite_fp32", "tflite_int8"])
def file(request, deployed, images, tmp_path_factory):
    """The small network as a file."""
    path = tmp_path_factory.mktemp("files") / f"{request.param}.tflite"
    calibration = np.asarray(images[:, :32, :32], "float32")
    with quiet():
        write(deployed, get_format(request.param), path, calibration)
    return path


@pytest.fixture(scope="module")
def found(file):
    return profile(file, calls=20)


def test_operators_are_those_of_the_network(tmp_path):
    inputs = keras.Input((32, 24, 3))
    x = keras.layers.Conv2D(8, 3, strides=2, padding="same", name="stem")(inputs)
    x = keras.layers.DepthwiseConv2D(5, padding="same", name="spread")(x)
    gate = keras.layers.GlobalAveragePooling2D(keepdims=True)(x)
    gate = keras.layers.Conv2D(8, 1, activation="relu6", name="gate")(gate)
    x = keras.layers.Conv2D(12, 1, name="mix")(keras.layers.Multiply()([x, gate]))
    outputs = keras.layers.Dense(2, name="head")(keras.layers.GlobalAveragePooling2D()(x))
    model = keras.Model(inputs, outputs)
    path = tmp_path / "model.tflite"
    tflite.export(model, path)
    read = [operator for operator in operators.read_operators(path.read_bytes()) if operator.macs]
    assert [(operator.layer.split("_")[0], operator.type, operator.shape) for operator in read] == [
        ("stem", "CONV_2D 3x3", (1, 16, 12, 8)),
        ("spread", "DEPTHWISE_CONV_2D 5x5", (1, 16, 12, 8)),
        ("gate", "CONV_2D 1x1, 1 pixel", (1, 1, 1, 8)),
        ("mix", "CONV_2D 1x1", (1, 16, 12, 12)),
        (read[-1].layer.split("_")[0], "FULLY_CONNECTED", (1, 2)),
    ]
    assert sum(operator.macs for operator in read) == count_macs(model)


def test_every_operator_has_its_work(found):
    assert found.calls == 20
    assert not found.other
    for row in found.rows:
        assert row.work or row.operator.name in ("PAD", "CONCATENATION", "RESHAPE"), row
    assert found.total == pytest.approx(sum(entry.microseconds for entry in found.by_type()))
    assert sum(entry.count for entry in found.by_type()) == len(found.rows)
    assert 0 < found.total < found.profiled


def test_time_goes_to_the_largest_layer(tmp_path):
    """A layer with 64 times the multiply-adds of its like takes most of the time."""
    inputs = keras.Input((64, 64, 3))
    x = keras.layers.Conv2D(16, 1, name="little")(inputs)
    x = keras.layers.Conv2D(64, 7, padding="same", name="much")(x)
    x = keras.layers.Conv2D(8, 1, name="less")(x)
    outputs = keras.layers.Dense(2)(keras.layers.GlobalAveragePooling2D()(x))
    path = tmp_path / "model.tflite"
    tflite.export(keras.Model(inputs, outputs), path)
    found = profile(path, calls=20)
    (much,) = (row for row in found.rows if row.operator.layer.startswith("much"))
    assert much.operator.macs == 64 * 64 * 64 * 16 * 49
    assert "IGEMM" in much.work
    assert much.microseconds > 0.8 * found.total
    assert found.by_type()[0].type == "CONV_2D 7x7"


def test_command(file, found, tmp_path, capsys):
    assert ghostnet("profile", file, "--calls", "10", "--all", "--out", tmp_path / "out") == 0
    text = capsys.readouterr().out
    for row in found.rows:
        assert row.operator.layer[-20:] in text
    assert "sum of the operators" in text
    assert "whole call" in text
    assert "lists every one" not in text
    assert text.index(" Type") < text.index(" Layer")  # the summary comes first
    table = text[text.index(" Layer") : text.index("LiteRT reports whole")]
    assert max(map(len, table.splitlines())) <= 100
    stem = tmp_path / "out" / f"{file.stem}_profile"
    with stem.with_suffix(".csv").open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert tuple(rows[0]) == show.COLUMNS
    assert [row["operator"] for row in rows] == [row.operator.type for row in found.rows]
    assert sum(float(row["share"]) for row in rows) == pytest.approx(1, abs=0.01)
    assert PIL.Image.open(stem.with_suffix(".png")).size[0] == 9 * show.DPI


def test_command_exports_a_network_first(run_dir, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert ghostnet("profile", run_dir, "--calls", "10", "--out", tmp_path / "out") == 0
    text = capsys.readouterr().out
    assert re.search(r"profiling .*small_fp32_\w+\.tflite", text)
    assert "DEPTHWISE_CONV_2D 3x3" in text
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "run_fp32_profile.csv",
        "run_fp32_profile.png",
    }


def row(index, microseconds, name="CONV_2D"):
    operator = operators.Operator(index, name, f"layer{index}", (1, 8, 8, 4), (1, 1), 1000)
    return Row(operator, GEMM, microseconds)


def test_the_summary_is_short_whatever_the_network(monkeypatch, capsys):
    """Of 150 layers the ten slowest, by time; all of them, in their order, on request."""
    times = [float(7 * index % 151) for index in range(1, 151)]
    found = Profile(
        name="runs/flowers [1]",
        format="int8",
        threads=2,
        calls=20,
        rows=[row(index, time) for index, time in enumerate(times)],
        other=0.0,
        resolution=75.0,
        profiled=11_500.0,
        plain=11_400.0,
        machine={"cpu": "a processor"},
    )
    monkeypatch.setattr(
        "keras_ghostnet.benchmark.profiling.profile.profile", lambda *_, **__: found
    )
    assert ghostnet("profile", "runs/flowers", "--calls", "10") == 0
    text = capsys.readouterr().out
    assert text.splitlines()[0] == "runs/flowers [1], int8, 2 threads: 11.40 ms a call"
    shown = [int(number) for number in re.findall(r"layer(\d+)", text)]
    assert shown == sorted(range(150), key=lambda index: -times[index])[: show.SLOWEST]
    assert "The slowest 10 of 150 layers; --all lists every one." in text
    assert len(text.splitlines()) < 35
    assert ghostnet("profile", "runs/flowers", "--calls", "10", "--all") == 0
    shown = [int(number) for number in re.findall(r"layer(\d+)", capsys.readouterr().out)]
    assert shown == list(range(150))


def test_the_picture_is_titled_by_what_was_named(file):
    found = profile(file, calls=10)
    name, fmt = file.stem.split("_")
    assert (found.name, found.format) == (str(file.with_name(name)), fmt)
    assert found.title.startswith(f"{file.with_name(name)}, {fmt}, 1 thread: ")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("ghostnet_10",), "Did you mean 'ghostnet_100'"),
        (("nowhere.tflite",), "There is no file nowhere.tflite"),
        (("ghostnet_100", "--calls", "0"), "`calls` must be an integer in"),
        (("ghostnet_100", "--out", "/proc/profiles"), "/proc/profiles cannot be written to"),
    ],
)
def test_bad_input(arguments, message, capfd):
    assert ghostnet("profile", *arguments) == 1
    assert message in capfd.readouterr().err


def test_an_old_litert(file, monkeypatch):
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "2.1.6")
    with pytest.raises(ImportError, match=r"needs LiteRT 2\.2 or later\. Found 2\.1\.6"):
        profile(file)


def test_a_crash_ends_the_measuring_process_alone(file, tmp_path, monkeypatch):
    crashing = tmp_path / "crashing.py"
    crashing.write_text("import os\nos.abort()\n")
    monkeypatch.setattr(events, "__file__", str(crashing))
    with pytest.raises(ChildProcessError, match=r"profiler failed on .* it crashed \(SIGABRT\)"):
        profile(file)


STARTS = """
import os, subprocess, sys
subprocess.Popen([sys.executable, *sys.argv[1:], str(os.getpid())])
os.abort()
"""


def test_it_ends_with_the_process_that_started_it(file, tmp_path):
    arguments = [events.__file__, file, 1, 10**9, tmp_path / "measured.json"]
    command = [sys.executable, "-c", STARTS, *map(str, arguments)]
    # Its standard error is the first one's: it is at its end when both are.
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True, timeout=30)
    assert "The process that started this one has ended" in done.stderr


def test_a_call_that_takes_too_long_is_ended(file, tmp_path, monkeypatch):
    sleeping = tmp_path / "sleeping.py"
    sleeping.write_text("import signal, time\nsignal.alarm(1)\ntime.sleep(60)\n")
    monkeypatch.setattr(events, "__file__", str(sleeping))
    with pytest.raises(ChildProcessError, match="it took longer than 30 s"):
        profile(file)
