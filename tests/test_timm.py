"""The checkpoints that timm itself writes, against timm itself in PyTorch."""

import copy
import importlib

import keras
import numpy as np
import pytest

import keras_ghostnet
from tests import torch_libraries
from tests.keras_state import dtype_policy

pytestmark = pytest.mark.timm

# timm's stages, which are cut otherwise than the paper's, and the layer here that ends each.
STAGES = {
    "blocks.0": "stage1_block1",
    "blocks.1": "stage2_block1",
    "blocks.2": "stage2_block2",
    "blocks.3": "stage3_block1",
    "blocks.4": "stage3_block2",
    "blocks.5": "stage4_block1",
    "blocks.6": "stage4_block6",
    "blocks.7": "stage5_block1",
    "blocks.8": "stage5_block5",
    "blocks.9": "final_relu",
    "global_pool": "avg_pool",
}
TOLERANCE = 1e-4  # of the standard deviation


@pytest.fixture(scope="module")
def torch():
    return torch_libraries.load("torch")


@pytest.fixture(scope="module")
def timm(torch):
    return torch_libraries.load("timm")


@pytest.fixture(scope="module")
def network(torch, timm):
    """timm's network, random throughout: fresh statistics would hide what batch norm does."""
    torch.manual_seed(0)
    network = timm.create_model("ghostnet_100", pretrained=False).eval()
    torch_libraries.randomise_batch_norms(network)
    for name, parameter in network.named_parameters():
        if parameter.ndim > 1:  # kernels that keep the maps' variance, the depthwise ones too
            torch.nn.init.kaiming_normal_(parameter, mode="fan_in")
        elif name in ("conv_head.bias", "classifier.bias"):
            torch.nn.init.normal_(parameter, std=0.1)
    return network


@pytest.fixture(scope="module", params=["safetensors", "pth", "nested.pth"])
def checkpoint(request, torch, network, tmp_path_factory):
    """The network's weights, as timm publishes them and as its training leaves them."""
    path = tmp_path_factory.mktemp("timm") / f"ghostnet.{request.param}"
    if request.param == "safetensors":
        state = {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
        importlib.import_module("safetensors.torch").save_file(state, path)
    elif request.param == "pth":
        torch.save(network.state_dict(), path)
    else:
        torch.save({"epoch": 3, "arch": "ghostnet_100", "state_dict": network.state_dict()}, path)
    return path


def assert_close(actual, expected, tolerance=TOLERANCE):
    error = np.abs(np.asarray(actual) - expected).max() / expected.std()
    assert error < tolerance


def images(size):
    """Two images for us."""
    return np.random.default_rng(size).normal(size=(2, size, size, 3)).astype("float32")


def torch_images(torch, size):
    """The same for PyTorch."""
    return torch.from_numpy(images(size).transpose(0, 3, 1, 2).copy())


@pytest.mark.parametrize("size", [224, 191])
def test_logits_are_timms(torch, network, checkpoint, size):
    model = keras_ghostnet.GhostNet(
        weights=checkpoint, classifier_activation=None, input_shape=(size, size, 3)
    )
    with torch.no_grad():
        expected = network(torch_images(torch, size)).numpy()
    assert_close(model(images(size)), expected)


@pytest.mark.parametrize("size", [224, 161])
def test_features_of_every_stage_are_timms(torch, network, checkpoint, size):
    """In double precision: in float32 the last ones differ by 1e-4 on some processors."""
    expected, network = {}, copy.deepcopy(network).double()
    handles = [
        network.get_submodule(name).register_forward_hook(
            lambda module, inputs, output, name=name: expected.update({name: output.numpy()})
        )
        for name in STAGES
    ]
    with torch.no_grad():
        network(torch_images(torch, size).double())
    for handle in handles:
        handle.remove()
    with dtype_policy("float64"):
        model = keras_ghostnet.GhostNet(weights=checkpoint, input_shape=(size, size, 3))
    outputs = {name: model.get_layer(layer).output for name, layer in STAGES.items()}
    features = keras.Model(model.input, outputs)(images(size))
    assert set(expected) == set(STAGES)
    for name, maps in features.items():
        theirs = expected[name].transpose(0, 2, 3, 1)
        assert_close(maps, theirs.reshape(maps.shape), 1e-10)


def test_parameters_are_as_many_as_timms(network):
    expected = sum(parameter.numel() for parameter in network.parameters())
    assert keras_ghostnet.count_parameters(keras_ghostnet.GhostNet()) == expected


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("ghostnet_130", 161),
        ("ghostnetv2_100", 139),
        ("ghostnetv3_050", 97),
        ("repghostnet_058", 64),
    ],
)
def test_pyramids_are_timms(torch, timm, name, size, tmp_path):
    torch.manual_seed(0)
    network = timm.create_model(name, pretrained=False)
    torch_libraries.randomise_batch_norms(network)
    torch.save(network.state_dict(), tmp_path / "network.pth")
    features = timm.create_model(name, features_only=True).eval()
    # Their stages are called otherwise there.
    state = {name.replace("blocks.", "blocks_", 1): x for name, x in network.state_dict().items()}
    features.load_state_dict({name: state[name] for name in features.state_dict()})
    with torch.no_grad():
        expected = features(torch_images(torch, size))
    pyramid = keras_ghostnet.feature_pyramid(
        name, ("P1", "P2", "P3", "P4", "P5"), weights=tmp_path / "network.pth"
    )
    for maps, theirs in zip(pyramid(images(size)).values(), expected, strict=True):
        assert_close(maps, theirs.numpy().transpose(0, 2, 3, 1))


# ----------------------------------------------------------------------------- its successors


def settled(torch, timm, name):
    """timm's network with random weights, and batch norms whose statistics are a batch's.

    Others leave GhostNetV2's gates at numbers in the thousands: rounding decides what it outputs.
    """
    torch.manual_seed(0)
    network = timm.create_model(name, pretrained=False).eval()
    torch_libraries.randomise_batch_norms(network)
    for parameter in network.parameters():
        if parameter.ndim > 1:
            torch.nn.init.kaiming_normal_(parameter, mode="fan_in")
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 1.0
    with torch.no_grad():
        network.train()(torch_images(torch, 96).repeat(2, 1, 1, 1))
    return network.eval()


@pytest.mark.parametrize(
    "name", ["ghostnetv2_100", "ghostnetv2_130", "ghostnetv3_050", "repghostnet_058"]
)
def test_successors_are_timms_at_any_size(torch, timm, name, tmp_path):
    network = settled(torch, timm, name)
    path = tmp_path / f"{name}.pth"
    torch.save(network.state_dict(), path)
    with dtype_policy("float64"):
        model = keras_ghostnet.create_model(
            name, weights=path, classifier_activation=None, input_shape=(None, None, 3)
        )
    network = network.double()
    for size in (97, 64, 47):
        with torch.no_grad():
            expected = network(torch_images(torch, size).double()).numpy()
        assert_close(model(images(size).astype("float64")), expected)
    assert keras_ghostnet.count_parameters(model) == sum(p.numel() for p in network.parameters())


def test_weights_that_timm_folded(torch, timm, tmp_path):
    network = settled(torch, timm, "ghostnetv3_050").double()
    with torch.no_grad():
        expected = network(torch_images(torch, 97).double()).numpy()
    network.convert_to_deploy()
    torch.save(network.state_dict(), tmp_path / "folded.pth")
    options = dict(weights=tmp_path / "folded.pth", input_shape=(97, 97, 3))
    for deployed in (True, False):
        with dtype_policy("float64"), pytest.warns(UserWarning, match="folded"):
            model = keras_ghostnet.GhostNetV3(
                0.5, deployed=deployed, classifier_activation=None, **options
            )
        assert_close(model(images(97).astype("float64")), expected)
