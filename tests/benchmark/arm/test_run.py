"""The script that goes to a device."""

import ast
import pathlib
import subprocess
import sys

import numpy as np
import pytest

from keras_ghostnet.export import tflite
from keras_ghostnet.export.device import run

SCRIPT = pathlib.Path(run.__file__)


def script(*arguments):
    """Runs it as on a device, where the package is not."""
    command = [sys.executable, str(SCRIPT), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=SCRIPT.anchor)


def test_it_needs_numpy_and_litert_alone():
    modules = set()
    for node in ast.walk(ast.parse(SCRIPT.read_text())):
        if isinstance(node, ast.Import):
            modules.update(alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            modules.add(node.module.split(".")[0])
    assert modules - sys.stdlib_module_names == {"numpy", "ai_edge_litert"}


@pytest.mark.parametrize("dtype", ["float32", "int8"])
def test_outputs_are_litert_s(dtype, paths, pictures, tmp_path):
    inputs, outputs = tmp_path / "in.npz", tmp_path / "out.npz"
    np.savez(inputs, pictures)
    result = script(paths[dtype], "--inputs", inputs, "--outputs", outputs)
    assert result.returncode == 0, result.stderr
    with np.load(outputs) as arrays:
        np.testing.assert_array_equal(arrays["outputs"], tflite.load(paths[dtype])(pictures))
        assert (arrays["step"] > 0) == (dtype == "int8")
    assert [path.name for path in tmp_path.iterdir() if "partial" in path.name] == []


def test_integers_go_in_as_they_are(paths, pictures):
    model = run.Model(paths["int8"])
    scale, zero_point = model.input["quantization"]
    integers = np.clip(np.rint(pictures / scale) + zero_point, -128, 127).astype("int8")
    np.testing.assert_array_equal(model(integers), model(pictures))


def test_times(paths):
    result = script(paths["float32"], paths["other"], "--time", "--calls", 4, "--burst", 2)
    assert result.returncode == 0, result.stderr
    rows = [line.split() for line in result.stdout.splitlines()[2:]]
    assert [row[-1] for row in rows] == [str(paths["float32"]), str(paths["other"])]
    assert all(0 < float(row[1]) <= float(row[0]) <= float(row[2]) for row in rows)


def test_times_are_of_whole_bursts(paths):
    times = run.measure({"a": run.Model(paths["float32"])}, calls=5, burst=4, warmup=0)
    assert times["a"].shape == (8,)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((2, 16, 16, 3), "float32"), r"\(n, 32, 32, 3\). Received: \(2, 16, 16, 3\)"),
        (np.zeros((0, 32, 32, 3), "float32"), "Received"),
        (np.zeros((1, 32, 32, 3), "uint8"), "Received images of uint8"),
    ],
)
def test_images_that_do_not_fit(images, message, paths):
    with pytest.raises(ValueError, match=message):
        run.Model(paths["int8"])(images)


def test_bad_files_and_arguments(paths, tmp_path):
    two = tmp_path / "two.npz"
    np.savez(two, np.zeros(1), np.zeros(1))
    text = tmp_path / "text.tflite"
    text.write_text("no network")
    model, outputs = paths["float32"], tmp_path / "out.npz"
    for arguments, message in (
        ((model, "--inputs", two, "--outputs", outputs), "2 arrays"),
        ((model, "--inputs", tmp_path / "none.npz", "--outputs", outputs), "none.npz"),
        ((tmp_path / "none.tflite", "--time"), "no file"),
        ((text, "--time"), "error: "),
        ((model,), "--time, or --inputs"),
        ((model, "--inputs", two), "go together"),
        ((model, "--time", "--threads", 0), "at least 1"),
    ):
        result = script(*arguments)
        assert result.returncode, arguments
        assert message in result.stderr, arguments
        assert "Traceback" not in result.stderr
    assert not outputs.exists()


CRASH = """
import os, signal, sys, time
sys.path.insert(0, sys.argv[1])
import run
run.SECONDS = 1
run._split()
if sys.argv[2] == "crash":
    os.kill(os.getpid(), signal.SIGSEGV)
with run.deadline():
    time.sleep(20)
"""


@pytest.mark.parametrize(
    ("what", "message"), [("crash", "crashed (SIGSEGV)"), ("hang", "took longer than 1 s")]
)
def test_what_breaks_litert_is_reported(what, message):
    command = [sys.executable, "-c", CRASH, str(SCRIPT.parent), what]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.stderr == f"error: the runtime {message}: a file is damaged, or too large\n"
    assert done.returncode == 1
