"""Weights of GhostNetV3's two forms: each loads the other's, and computes the same."""

import keras
import numpy as np
import pytest

import keras_ghostnet
from keras_ghostnet import specs, weights
from keras_ghostnet.weights import layouts
from tests.keras_state import dtype_policy
from tests.layers.reference import Weights
from tests.short_networks import short_networks
from tests.weights import checkpoint_files

WIDTH = 0.1
SIZE = 64
IMAGES = np.random.default_rng(0).normal(size=(2, SIZE, SIZE, 3))
FLOAT64 = 1e-9


@pytest.fixture(scope="module", autouse=True)
def _short():
    with short_networks(), dtype_policy("float64"):
        yield


def build(deployed, **options):
    options = dict(input_shape=(SIZE, SIZE, 3), classes=5, classifier_activation=None) | options
    return keras_ghostnet.GhostNetV3(WIDTH, deployed=deployed, **options)


@pytest.fixture(scope="module")
def trained():
    """A network in the form it is trained in, with random weights and statistics."""
    model = build(False)
    Weights(model)
    return model


def assert_same(model, expected):
    expected = np.asarray(expected)
    error = np.abs(np.asarray(model(IMAGES)) - expected).max() / expected.std()
    assert error < FLOAT64


def torch_tensors(model):
    """A network's weights under timm's names."""
    (layout,) = (one for one in layouts.LAYOUTS if one.family == "ghostnetv3" and not one.deployed)
    layers = layout.layers(specs.ghostnetv3(WIDTH))
    tensors = {}
    for variable in model.weights:
        array, layer = variable.numpy(), variable.path.rpartition("/")[0]
        if variable.name == "kernel":
            depthwise = layout._is_depthwise(variable.path)
            order = (2, 3, 0, 1) if depthwise else (3, 2, 0, 1)
            array = array.transpose(order) if array.ndim == 4 else array.T
            array = array[..., None, None] if layer == "head" else array
        tensors[layout.tensor_name(layers[layer], variable.path)] = array
    return tensors


@pytest.mark.parametrize("suffix", [".weights.h5", ".keras"])
def test_there_and_back(trained, suffix, tmp_path):
    first, second = tmp_path / f"trained{suffix}", tmp_path / f"deployed{suffix}"
    (trained.save_weights if suffix == ".weights.h5" else trained.save)(first)
    with pytest.warns(UserWarning, match="have parallel branches .* folded for ghostnetv3_010"):
        deployed = build(True, weights=first)
    assert_same(deployed, trained(IMAGES))
    assert {weight.name for weight in deployed.weights} == {"kernel", "bias"}
    (deployed.save_weights if suffix == ".weights.h5" else deployed.save)(second)
    with pytest.warns(UserWarning, match="are folded. ghostnetv3_010 has branches .* to train it,"):
        again = build(False, weights=second)
    assert_same(again, trained(IMAGES))


def test_own_form_is_loaded_without_a_word(trained, tmp_path, recwarn):
    trained.save_weights(tmp_path / "trained.weights.h5")
    assert_same(build(False, weights=tmp_path / "trained.weights.h5"), trained(IMAGES))
    assert not [warning for warning in recwarn if "folded" in str(warning.message)]


def test_names_of_the_authors_release(trained, tmp_path):
    """Its branches have `.bn.`, a profiler left its counters, and the moving average is taken."""
    tensors = torch_tensors(trained)
    released = {
        name.replace(".bn1.", ".bn.") if "_rpr_" in name else name: array
        for name, array in tensors.items()
    }
    released["blocks.0.0.ghost1.total_ops"] = np.zeros(1)
    assert sum(".bn." in name for name in released) > 100
    path = tmp_path / "released.pth.tar"
    checkpoint_files.write_torch_zip(path, released, nest="state_dict_ema")
    checkpoint = weights.identify_checkpoint(path)
    assert (checkpoint.spec.name, checkpoint.classes) == ("ghostnetv3_010", 5)
    assert_same(build(False, weights=path), trained(IMAGES))
    model, assignments = keras_ghostnet.convert_weights(path, tmp_path / "converted.keras")
    assert len(assignments) == len(model.weights) == len(tensors)


def test_a_branch_that_is_missing_is_named(trained, tmp_path):
    tensors = torch_tensors(trained)
    del tensors["blocks.0.0.ghost1.cheap_rpr_scale.bn1.running_var"]
    checkpoint_files.write_torch_zip(tmp_path / "weights.pth", tensors)
    for deployed in (False, True):
        with pytest.raises(ValueError, match=r"stage1_block1/ghost1/cheap_conv.*(lacks|no tensor)"):
            build(deployed, weights=tmp_path / "weights.pth")


def test_networks_of_one_form_refuse_the_argument():
    with pytest.raises(
        ValueError, match=r"`deployed` is an argument of GhostNetV3 alone: ghostnet_"
    ):
        keras_ghostnet.create_model("ghostnet_050", deployed=True)


def test_weights_of_another_family_are_refused(trained, tmp_path):
    trained.save_weights(tmp_path / "v3.weights.h5")
    message = r"of ghostnetv3_010 \(width 0.1\).*but the model is ghostnetv2_010.*GhostNetV3\(0.1,"
    with pytest.raises(ValueError, match=message):
        keras_ghostnet.GhostNetV2(WIDTH, classes=5, weights=tmp_path / "v3.weights.h5")


@pytest.mark.parametrize("constructor", ["GhostNet", "GhostNetV2", "RepGhostNet"])
def test_keras_files_of_each_family(constructor, tmp_path):
    build = getattr(keras_ghostnet, constructor)
    options = dict(input_shape=(SIZE, SIZE, 3), classes=5, classifier_activation=None)
    model = build(WIDTH, **options)
    Weights(model)
    model.save(tmp_path / "model.keras")
    assert_same(build(WIDTH, weights=tmp_path / "model.keras", **options), model(IMAGES))
    assert_same(keras.models.load_model(tmp_path / "model.keras"), model(IMAGES))
