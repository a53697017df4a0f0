"""Which layers int8 serves worst."""

import contextlib

import keras
import numpy as np
import pytest

from keras_ghostnet.export import compare_layers, formats, layerwise, sandbox
from keras_ghostnet.export.graph import deploy, for_tracing, lowering
from keras_ghostnet.preprocessing import normalize
from tests.export.command import FP32, INT8, ghostnet
from tests.export.conftest import patches

IMAGES = normalize(patches(40, 32))
FAULTY = "block_ghost2_primary_conv"


def errors_by_layer(model, path, module):
    runner = sandbox.Sandbox(path, module, (32, 32))
    with contextlib.closing(runner):
        sums = layerwise._compare(model, runner, IMAGES[:4])
    return {layer: layerwise._error(layer, *values) for layer, values in sums.items()}


@pytest.fixture(scope="module")
def deployed(small):
    return for_tracing(deploy(small))


@pytest.mark.parametrize("name", ["tflite_int8", "onnx_int8"])
def test_the_first_layer_that_is_wrong_is_found(name, deployed, tmp_path):
    """Half of a kernel is lost: in front of it errors are those of int8, there they are not."""
    broken = keras.models.clone_model(deployed)
    broken.set_weights(deployed.get_weights())
    kernel = broken.get_layer(FAULTY).kernel
    kernel.assign(np.where(np.arange(kernel.shape[-1]) % 2, kernel.numpy(), 0))
    fmt, found = formats.get_format(name), {}
    options = {"target": "none"} if "target" in fmt.options else {"runtime": "tensorrt"}
    for kind, model in (("sound", deployed), ("broken", broken)):
        path = tmp_path / f"{kind}{fmt.suffix}"
        formats.write(for_tracing(model), fmt, path, IMAGES, **options)
        found[kind] = errors_by_layer(deployed, path, fmt.module + layerwise.LAYERS)
    layers = [layer.name for layer in deployed.layers if layer.name in found["broken"]]
    assert len(layers) >= 12
    assert found["sound"].keys() == found["broken"].keys()
    assert all(error.typical_error < 0.15 for error in found["sound"].values())
    assert all(error.cosine > 0.98 for error in found["sound"].values())
    wrong = [name for name in layers if found["broken"][name].typical_error > 0.3]
    assert wrong[0] == FAULTY
    assert found["broken"][FAULTY].cosine < 0.95


def test_lowered_networks_have_their_own_layers(deployed, tmp_path):
    path = tmp_path / "net.tflite"
    formats.write(deployed, formats.get_format("tflite_int8"), path, IMAGES, target="amx")
    model = lowering.lower(deployed, "amx", "int8")
    found = errors_by_layer(model, path, "tflite_layers")
    assert any("pack" in layer for layer in found)
    assert max(error.typical_error for error in found.values()) < 0.15


@pytest.fixture(scope="module")
def found(exported):
    return compare_layers(exported / INT8)


def test_worst_first(found):
    errors = [error.typical_error for error in found]
    assert errors == sorted(errors, reverse=True)
    assert 0 < errors[0] < 0.2
    assert len(errors) > 10


def test_the_command(exported, found, capfd):
    assert ghostnet("verify", exported, "--layers", 3) == 0
    printed = capfd.readouterr().out
    assert [error.layer in printed for error in found[:4]] == [True, True, True, False]
    assert INT8 in printed


def test_files_that_are_not_int8(exported, capfd):
    assert ghostnet("verify", exported / FP32, "--layers") == 1
    assert "is a tflite_fp32. Layers are compared of int8" in capfd.readouterr().err


def test_no_int8_at_all(tmp_path, capfd):
    assert ghostnet("verify", tmp_path, "--layers") == 1
    assert "holds no int8 artifact" in capfd.readouterr().err


def test_a_changed_file_is_not_run(copied, capfd):
    path = copied / INT8
    path.write_bytes(path.read_bytes() + b"\0")
    assert ghostnet("verify", path, "--layers") == 1
    assert "is not the file that was exported" in capfd.readouterr().err


def test_what_comes_before_maps_are_transposed(tmp_path):
    """ONNX's operators take channels first, but a layer that is the first one does not."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((32, 32, 3))
    x = keras.layers.Rescaling(2.0, offset=-1.0, name="scale")(inputs)
    x = keras.layers.Conv2D(4, 3, activation="relu", name="conv")(x)
    model = keras.Model(inputs, keras.layers.GlobalAveragePooling2D(name="pool")(x))
    path, deployed = tmp_path / "net.onnx", for_tracing(deploy(model))
    fmt = formats.get_format("onnx_int8")
    formats.write(deployed, fmt, path, IMAGES, runtime="tensorrt")
    found = errors_by_layer(deployed, path, "onnx_layers")
    assert found["scale"].cosine > 0.999
    assert max(error.typical_error for error in found.values()) < 0.1
