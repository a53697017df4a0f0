"""Int8 but for some layers."""

import json

import numpy as np
import onnx
import pytest

from keras_ghostnet.export import contents, formats, tflite
from keras_ghostnet.export.graph import deploy, for_tracing
from keras_ghostnet.export.tflite import inspection
from keras_ghostnet.preprocessing import normalize
from tests.export.command import export, ghostnet
from tests.export.conftest import patches

IMAGES = normalize(patches(40, 32))
LAYER = "block_ghost1_primary_conv"
TFLITE, ONNX = map(formats.get_format, ("tflite_int8", "onnx_int8"))


@pytest.fixture(scope="module")
def deployed(small):
    return for_tracing(deploy(small))


def operators(path):
    """The types of what TFLite's operators write, by the layers that they come from."""
    graph = inspection.graph(path.read_bytes())
    tensors = map(graph.subgraph.Tensors, range(graph.subgraph.TensorsLength()))
    types = {tensor.Name().decode(): graph.type_names[tensor.Type()] for tensor in tensors}
    return {name: types[name] for name in inspection.outputs(path.read_bytes())}


@pytest.mark.parametrize(
    ("layer", "target"), [(LAYER, "arm"), ("stem", "none"), ("predictions", "none")]
)
def test_tflite(layer, target, deployed, small, tmp_path):
    path = tmp_path / "net.tflite"
    formats.write(deployed, TFLITE, path, IMAGES, target=target, keep_float=(layer,))
    floats = [name for name, kind in operators(path).items() if kind == "FLOAT32"]
    if layer == "predictions":  # the output is named so, and quantized behind it
        assert floats
    else:
        assert any(layer in name for name in floats)
        # A DEQUANTIZE, and the padding in front of the stem behind it.
        others = ("tfl.dequantize", "small_1/pad_1/Pad")
        assert all(layer in name or name.startswith(others) for name in floats)
    found = tflite.operators(path.read_bytes())
    assert found["DEQUANTIZE"] >= 1
    runner = formats.load(path, TFLITE)
    assert runner.input["dtype"] == runner.output["dtype"] == np.int8
    outputs = small.predict(IMAGES, verbose=0)
    np.testing.assert_allclose(runner(IMAGES), outputs, atol=0.3 * outputs.std())


@pytest.mark.parametrize("runtime", ["onnxruntime", "tensorrt"])
def test_onnx(runtime, deployed, tmp_path):
    """The layer's weights stay in float, and no others."""
    path, plain = tmp_path / "net.onnx", tmp_path / "plain.onnx"
    formats.write(deployed, ONNX, plain, IMAGES, runtime=runtime)
    formats.write(deployed, ONNX, path, IMAGES, runtime=runtime, keep_float=(LAYER,))
    kernels = [
        {
            tensor.name
            for tensor in onnx.load(file).graph.initializer
            if tensor.data_type == tensor.FLOAT and len(tensor.dims) == 4
        }
        for file in (plain, path)
    ]
    assert {name.partition("/")[0] for name in kernels[1] - kernels[0]} == {LAYER}
    assert contents.describe(path)["precision"] == "int8"


def test_the_command(run_dir, tmp_path, capfd):
    out = tmp_path / "out"
    options = ("--keep-float", LAYER, "stem")
    assert export(run_dir, out, *options, names="tflite_int8") == 0
    sidecar = json.loads((out / "small_int8.tflite.json").read_text())
    assert sidecar["options"]["keep_float"] == [LAYER, "stem"]
    assert ghostnet("verify", out) == 0
    capfd.readouterr()
    wrong = ("--keep-float", LAYER.replace("1", "3"))
    assert export(run_dir, tmp_path / "other", *wrong, names="tflite_int8") == 1
    assert f"Did you mean '{LAYER}'" in capfd.readouterr().err
    assert not list((tmp_path / "other").glob("*.tflite"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(("--io", "uint8"), "are int8 alone"), (("--fold-preprocessing",), "are int8 alone")],
)
def test_uint8_is_refused(arguments, message, run_dir, tmp_path, capfd):
    options = (*arguments, "--keep-float", LAYER)
    assert export(run_dir, tmp_path, *options, names="tflite_int8") == 1
    assert message in " ".join(capfd.readouterr().err.split())


def test_float_formats_have_nothing_to_keep(run_dir, tmp_path, capfd):
    assert export(run_dir, tmp_path, "--keep-float", LAYER, names="tflite_fp32") == 1
    assert "takes --keep-float" in capfd.readouterr().err
