"""Artifacts of unknown origin in processes of their own: what crashes, never ends or takes all."""

import os
import pathlib
import shutil
import signal
import subprocess
import sys

import numpy as np
import onnx
import pytest

from keras_ghostnet.benchmark.comparison import exports
from keras_ghostnet.benchmark.comparison.compared_networks import ComparedNetwork
from keras_ghostnet.export import formats, predict, sandbox, sidecar
from keras_ghostnet.export.device import run
from keras_ghostnet.export.graph.refusals import UnsupportedOperatorError
from keras_ghostnet.export.tflite import crashes, inspection, packaging
from tests.export.command import FP32, INT8


def test_a_process_that_dies_is_reported(exported, tmp_path):
    process = sandbox.Process("tflite")
    runner = sandbox.Sandbox(exported / FP32, "tflite", (32, 32), process)
    os.kill(process._process.pid, signal.SIGSEGV)
    with pytest.raises(sandbox.SandboxError, match=r"fp32\.tflite .* crashed \(SIGSEGV\)"):
        runner(np.zeros((1, 32, 32, 3)))
    assert not process.is_alive()
    process.close()


def change_tflite(path, edit):
    """Edits the network of a `.tflite` file."""
    network = inspection.schema_module().ModelT.InitFromPackedBuf(path.read_bytes(), 0)
    edit(network, network.subgraphs[0])
    path.write_bytes(packaging.pack(network))
    return path


def operators(network, kind):
    """The operators of a kind, of the schema's names."""
    code = getattr(inspection.schema_module().BuiltinOperator, kind)
    codes = [max(one.builtinCode, one.deprecatedBuiltinCode) for one in network.operatorCodes]
    found = [one for one in network.subgraphs[0].operators if codes[one.opcodeIndex] == code]
    for one in found:
        one.inputs = list(one.inputs)  # to be changed
    return found


def test_a_sidecar_of_other_images_than_the_artifact_s(exported, tmp_path):
    """It is refused before images of that size are made."""
    path = pathlib.Path(shutil.copy(exported / FP32, tmp_path))
    for key, value in (("preprocessing", {"size": [10**6, 10**6]}), ("labels", ["ant"] * 9)):
        content = sidecar.read(exported / f"{FP32}.json")
        content[key] = {**content[key], **value} if isinstance(value, dict) else value
        sidecar.write(path, content, sidecar.path_of(path))
        with pytest.raises(ValueError, match="Export the model again"):
            predict(path, np.zeros((1, 32, 32, 3), "uint8"))


def test_what_crashes_the_runtime_is_reported(exported, tmp_path):
    """LiteRT reads a tensor that is not there, and mostly ends with exit code 139."""

    def edit(network, graph):
        operators(network, "MUL")[0].inputs[1] = -1

    path = change_tflite(pathlib.Path(shutil.copy(exported / INT8, tmp_path)), edit)
    with pytest.raises(sandbox.SandboxError, match=r"int8\.tflite is not run: "):
        sandbox.Sandbox(path, "tflite")
    # In every command that runs such files.
    shutil.copy(exported / f"{INT8}.json", tmp_path)
    with pytest.raises(sandbox.SandboxError, match="is not run: "):
        predict(path, np.zeros((1, 32, 32, 3), "uint8"))
    with pytest.raises(sandbox.SandboxError, match="is not run: "):
        exports.of_file(ComparedNetwork(str(path), file=path))


@pytest.mark.parametrize("place", [0, 0.5, 1])
def test_a_crash_of_a_fresh_file_names_where(exported, tmp_path, monkeypatch, place):
    """Whether LiteRT crashes at an input that is missing is chance: each operator is one here."""
    path = pathlib.Path(shutil.copy(exported / FP32, tmp_path))
    crashes.require_none(path)
    names = inspection.outputs(path.read_bytes())
    culprit = names[round(place * (len(names) - 1))]

    def crash(part):
        at_fault = culprit in inspection.outputs(part.read_bytes())
        return "crashed (SIGSEGV)" if at_fault else None

    monkeypatch.setattr(crashes, "_crash", crash)
    with pytest.raises(UnsupportedOperatorError, match=r"LiteRT crashed \(SIGSEGV\)") as found:
        crashes.require_none(path)
    assert found.value.scopes == (culprit,)


def no_filter(network, graph):
    operators(network, "CONV_2D")[0].inputs[1] = -1


def short_bias(kind):
    """XNNPACK reads what lies behind a short bias."""

    def edit(network, graph):
        tensor = graph.tensors[operators(network, kind)[0].inputs[2]]
        tensor.shape = [1]
        network.buffers[tensor.buffer].data = network.buffers[tensor.buffer].data[:4]

    return edit


def wrong_multiplier(network, graph):
    operators(network, "DEPTHWISE_CONV_2D")[0].builtinOptions.depthMultiplier = 9


UNSOUND = {
    "filter": (no_filter, "a convolution lacks its images or filters"),
    "bias": (short_bias("CONV_2D"), "another number of channels or biases"),
    "depthwise": (short_bias("DEPTHWISE_CONV_2D"), "another number of channels or biases"),
    "dense": (short_bias("FULLY_CONNECTED"), "another number of channels or biases"),
    "multiplier": (wrong_multiplier, "another number of channels or biases"),
    "cut": (None, "is no TFLite file, or is damaged"),
}


@pytest.mark.parametrize("name", UNSOUND)
def test_weights_that_are_too_short(name, exported, tmp_path):
    edit, message = UNSOUND[name]
    path = pathlib.Path(shutil.copy(exported / FP32, tmp_path / FP32))
    if edit is None:
        path.write_bytes(path.read_bytes()[:1000])
    else:
        change_tflite(path, edit)
    with pytest.raises(ValueError, match=message):
        run.Model(path)


def loop(path, count):
    """An ONNX file that counts."""
    helper, kinds = onnx.helper, onnx.TensorProto
    value = lambda name, shape, kind=kinds.FLOAT: helper.make_tensor_value_info(name, kind, shape)
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["condition"], ["again"]),
            helper.make_node("Add", ["x", "x"], ["y"]),
        ],
        "body",
        [value("i", [], kinds.INT64), value("condition", [], kinds.BOOL), value("x", [None, 2])],
        [value("again", [], kinds.BOOL), value("y", [None, 2])],
    )
    nodes = [
        helper.make_node("ReduceMean", ["images"], ["start"], axes=[2, 3], keepdims=0),
        helper.make_node("Loop", ["count", "yes", "start"], ["outputs"], body=body),
    ]
    graph = helper.make_graph(
        nodes,
        "loop",
        [value("images", [None, 2, 4, 4])],
        [value("outputs", [None, 2])],
        [
            helper.make_tensor("count", kinds.INT64, [], [count]),
            helper.make_tensor("yes", kinds.BOOL, [], [True]),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path.write_bytes(model.SerializeToString())


def test_what_never_ends_is_ended(tmp_path, monkeypatch):
    monkeypatch.setattr(run, "SECONDS", 1)
    path = tmp_path / "loop.onnx"
    loop(path, 2**62)
    runner = sandbox.Sandbox(path, "onnx")
    with pytest.raises(sandbox.SandboxError, match=r"loop\.onnx is not run: .* took longer"):
        runner(np.zeros((1, 4, 4, 2)))
    runner.close()


def test_memory_is_limited(exported, tmp_path, monkeypatch):
    monkeypatch.setattr(run, "MEMORY", 1 << 20)
    with pytest.raises(sandbox.SandboxError, match="is not run"):
        sandbox.Sandbox(exported / FP32, "tflite")


ALONE = """
import importlib, sys
sys.argv[0] = "ghostnet"
from keras_ghostnet.export import sandbox
for module in ("onnx", "tflite"):
    importlib.import_module(sandbox.RUNTIMES[module].partition(":")[0])
sys.exit("keras" in sys.modules or "tensorflow" in sys.modules)
"""


def test_its_processes_start_without_keras():
    """A verification is not to wait for what it does not need."""
    subprocess.run([sys.executable, "-c", ALONE], check=True)


def test_every_format_has_a_process_of_its_own():
    modules = {fmt.module for fmt in formats.FORMATS}
    assert modules - set(sandbox.RUNTIMES) == {"tensorrt"}  # which docs/security.md names
