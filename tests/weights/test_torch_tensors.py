"""Our variables in PyTorch's names: `transfer` backwards."""

import keras
import numpy as np
import pytest

import keras_ghostnet
from keras_ghostnet import specs
from keras_ghostnet.weights import identify_checkpoint
from keras_ghostnet.weights.layouts import torch_layout
from keras_ghostnet.weights.torch_tensors import torch_tensors, write_safetensors
from tests.golden.checkpoints import NAMES, Golden

NORM = ("gamma", "beta", "moving_mean", "moving_variance")


def variables_of(checkpoint):
    """A checkpoint's arrays by the paths of our variables."""
    layout, tensors, found = checkpoint.layout, checkpoint.tensors, {}
    for ours, theirs in layout.layers(checkpoint.spec).items():
        is_norm = f"{theirs}.running_mean" in tensors
        for variable in NORM if is_norm else ("kernel", "bias"):
            path = f"{ours}/{variable}"
            array = tensors.get(layout.tensor_name(theirs, path))
            if array is not None:
                found[path] = layout.to_keras(array, path)
    return found


@pytest.mark.parametrize("name", [n for n in NAMES if n.startswith("timm") or "_002_" in n])
def test_golden_files_come_back(name, tmp_path):
    """Written from our variables, they have the very names, shapes and values that they had."""
    golden = Golden(name)
    checkpoint = identify_checkpoint(golden.write(tmp_path))
    assert torch_layout(checkpoint.spec) == checkpoint.layout
    found, expected = torch_tensors(checkpoint.spec, variables_of(checkpoint)), golden.tensors()
    assert {key: value.shape for key, value in found.items()} == {
        key: value.shape for key, value in expected.items()
    }
    for key, value in found.items():
        np.testing.assert_array_equal(value, expected[key].astype("float32"))


@pytest.mark.usefixtures("short_networks")
@pytest.mark.parametrize(
    "name",
    [
        pytest.param("ghostnetv3_050", marks=pytest.mark.thorough),
        pytest.param("repghostnet_050", marks=pytest.mark.thorough),
        "g_ghost_regnetx_002",
    ],
)
def test_models_come_back(name, tmp_path):
    """Through a file, into a network of the same name."""
    create = dict(classes=2, input_shape=(64, 64, 3))
    model, spec = keras_ghostnet.create_model(name, **create), specs.get_spec(name)
    variables = {weight.path: weight.numpy() for weight in model.weights}
    write_safetensors(tmp_path / "x.safetensors", torch_tensors(spec, variables))
    again = keras_ghostnet.create_model(name, weights=tmp_path / "x.safetensors", **create)
    for weight in again.weights:
        np.testing.assert_array_equal(weight, variables[weight.path])


@pytest.mark.usefixtures("short_networks")
def test_a_fine_tuned_network_has_timm_s_head(tmp_path):
    """A classifier on the pooled features: a head in front that passes them on changes nothing."""
    images = np.random.default_rng(0).normal(size=(2, 32, 32, 3)).astype("float32")
    backbone = keras_ghostnet.GhostNet(0.5, include_top=False, pooling="avg")
    outputs = keras.layers.Dense(3, "softmax", name="own")(backbone.output)
    model, spec = keras.Model(backbone.input, outputs), specs.ghostnet(0.5)
    tensors = torch_tensors(spec, {weight.path: weight.numpy() for weight in model.weights})
    path = tmp_path / "model.safetensors"
    write_safetensors(path, tensors)
    built = keras_ghostnet.GhostNet(0.5, classes=3, input_shape=(32, 32, 3), weights=path)
    np.testing.assert_allclose(built(images), model(images), rtol=1e-4, atol=1e-7)
    more = keras.Model(backbone.input, keras.layers.Dense(3)(keras.layers.Dense(3)(outputs)))
    variables = {weight.path: weight.numpy() for weight in more.weights}
    assert torch_tensors(spec, variables) is None
    assert torch_tensors(specs.ghost_vgg16(), variables) is None


@pytest.mark.usefixtures("short_networks")
def test_folded_batch_norms_have_no_names():
    model = keras_ghostnet.GhostNetV3(0.5, deployed=True, classes=2, input_shape=(64, 64, 3))
    variables = {weight.path: weight.numpy() for weight in model.weights}
    assert torch_tensors(specs.ghostnetv3(0.5, deployed=True), variables) is None
