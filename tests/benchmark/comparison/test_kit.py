"""The folder for a device: what is in it, and its script as it runs there."""

import ast
import functools
import json
import pathlib
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest

from keras_ghostnet.benchmark.comparison import cache, kit, results
from keras_ghostnet.benchmark.comparison.compared_networks import ComparedNetwork
from keras_ghostnet.export import tflite
from keras_ghostnet.export.device.conditions import Conditions


@pytest.fixture(scope="module")
def exported(run_dir, tmp_path_factory):
    kept = cache.Cache(tmp_path_factory.mktemp("cache"), target="none")
    return list(
        kept.exports(
            ComparedNetwork(str(run_dir)), (("litert", precision) for precision in ("fp32", "int8"))
        )
    )


@pytest.fixture
def folder(exported, tmp_path):
    kit.write_kit(tmp_path / "kit", exported, "arm")
    return tmp_path / "kit"


def command(*arguments):
    # -I: as on a device, without this package on the path.
    return [sys.executable, "-I", kit.SCRIPT, *map(str, arguments)]


def script(folder, *arguments):
    return subprocess.run(command(*arguments), capture_output=True, text=True, cwd=folder)


def test_its_csv_is_one_of_ours(folder, exported, tmp_path):
    done = script(folder, kit.TABLE, "--csv", tmp_path / "device.csv", "--calls", 20)
    assert done.returncode == 0, done.stderr
    assert "20 of 20 calls" in done.stderr
    measured = results.read_measurements(tmp_path / "device.csv")
    assert len(measured) == 2
    for measurement, export in zip(measured, exported, strict=True):
        for name, value in export.fields.items():
            assert getattr(measurement, name) == value, name
        assert 0 < measurement.p10 <= measurement.median <= measurement.p90 < 100
        assert (measurement.calls, measurement.batch, measurement.threads) == (20, 1, 1)
        assert measurement.device == Conditions().device
        assert "(arm)" in measurement.versions
        assert "ai-edge-litert 2" in measurement.versions
    results.append_measurements(
        tmp_path / "device.csv", measured
    )  # of this schema to the last column


def test_the_scripts_are_of_an_old_python_and_need_numpy_and_litert(folder):
    names = sorted(path.suffix for path in folder.iterdir())
    assert names == [".json", ".py", ".py", ".py", ".tflite", ".tflite"]
    trees = [ast.parse(path.read_text(), feature_version=(3, 9)) for path in folder.glob("*.py")]
    modules = {
        name.split(".")[0]
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module] if isinstance(node, ast.ImportFrom) else [node.names[0].name])
    }
    # By name, in turn: ai_edge_litert or tflite_runtime; images.py, with Pillow, is not in it.
    known = {"numpy", "ai_edge_litert", "run", "keras_ghostnet"}
    assert modules - sys.stdlib_module_names == known


def test_what_is_interrupted_is_kept(folder, tmp_path):
    process = subprocess.Popen(
        command(kit.TABLE, "--csv", tmp_path / "device.csv", "--calls", 10_000_000),
        cwd=folder,
        stderr=subprocess.PIPE,
        # What runs in the background inherits that it is ignored.
        preexec_fn=functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )
    text = ""
    while "calls" not in text:
        text = process.stderr.read(40).decode()
        assert text, "it ended"
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 0, err
    assert b"until it was interrupted" in err
    assert all(
        10 <= one.calls < 10_000_000 for one in results.read_measurements(tmp_path / "device.csv")
    )


def test_what_the_script_refuses(folder, tmp_path):
    csv = tmp_path / "device.csv"
    csv.touch()
    damaged = shutil.copytree(folder, tmp_path / "damaged")
    entry = json.loads((damaged / kit.TABLE).read_text())["models"][0]
    content = bytearray((damaged / entry["file"]).read_bytes())
    content[-1] ^= 1
    (damaged / entry["file"]).write_bytes(content)
    for place, arguments, message in (
        (folder, (kit.TABLE, "--csv", csv), "already. Choose another name"),
        (folder, ("none.json", "--csv", "new.csv"), "none.json"),
        (folder, (kit.TABLE, "--csv", "new.csv", "--calls", 0), "at least 1"),
        (damaged, (kit.TABLE, "--csv", "new.csv"), "Copy the folder once more"),
    ):
        done = script(place, *arguments)
        assert done.returncode, arguments
        assert message in done.stderr
        assert "Traceback" not in done.stderr
    assert not (folder / "new.csv").exists()


def test_an_earlier_kit_is_replaced_and_nothing_else(folder, exported, tmp_path):
    kit.write_kit(folder, exported[:1], "arm")
    assert len(list(folder.glob("*.tflite"))) == 1
    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.txt").write_text("years")
    for path in (other, other / "thesis.txt"):
        with pytest.raises(FileExistsError, match="holds something else"):
            kit.write_kit(path, exported, "arm")
    assert [path.name for path in other.iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize("index", [0, 1])
def test_several_images_at_a_time(index, exported):
    """What is timed is the network on all of them."""
    path = pathlib.Path(exported[index].path)
    model, images = tflite.load(path), np.random.default_rng(0).normal(size=(3, 32, 32, 3))
    images = images.astype("float32")
    expected = model(images)
    model.resize(3)
    model.interpreter.set_tensor(model.input["index"], model._quantize(images))
    model.interpreter.invoke()
    outputs = model.interpreter.get_tensor(model.output["index"]).astype("float32")
    if model.step:
        outputs = (outputs - model.output["quantization"][1]) * model.step
    np.testing.assert_allclose(outputs, expected, atol=max(1e-5, model.step))
