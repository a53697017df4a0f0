"""The checkpoints that timm itself writes, against timm itself in PyTorch."""

import importlib

import keras
import numpy as np
import pytest

import keras_ghostnet

pytestmark = pytest.mark.timm

REASON = "needs PyTorch and timm: `make test-timm` installs them"
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
    return pytest.importorskip("torch", reason=REASON)


@pytest.fixture(scope="module")
def timm(torch):
    try:
        return importlib.import_module("timm")
    except ModuleNotFoundError:
        pytest.skip(REASON)
    except RuntimeError:
        # timm imports torchvision, whose compiled operations do not load beside a PyTorch that
        # was built without CUDA. GhostNet needs none of them: that they have names is enough.
        for name in ("nms", "qnms"):
            schema = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
            torch.library.define(f"torchvision::{name}", schema)
        return importlib.import_module("timm")


@pytest.fixture(scope="module")
def network(torch, timm):
    """timm's network, random throughout: fresh statistics would hide what batch norm does."""
    torch.manual_seed(0)
    network = timm.create_model("ghostnet_100", pretrained=False).eval()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.normal_(module.bias, std=0.1)
            torch.nn.init.normal_(module.running_mean, std=0.1)
            torch.nn.init.uniform_(module.running_var, 0.5, 1.5)
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


def assert_close(actual, expected):
    error = np.abs(np.asarray(actual) - expected).max() / expected.std()
    assert error < TOLERANCE


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
    expected = {}
    handles = [
        network.get_submodule(name).register_forward_hook(
            lambda module, inputs, output, name=name: expected.update({name: output.numpy()})
        )
        for name in STAGES
    ]
    with torch.no_grad():
        network(torch_images(torch, size))
    for handle in handles:
        handle.remove()
    model = keras_ghostnet.GhostNet(weights=checkpoint, input_shape=(size, size, 3))
    outputs = {name: model.get_layer(layer).output for name, layer in STAGES.items()}
    features = keras.Model(model.input, outputs)(images(size))
    assert set(expected) == set(STAGES)
    for name, maps in features.items():
        theirs = expected[name].transpose(0, 2, 3, 1)
        assert_close(maps, theirs.reshape(maps.shape))


def test_parameters_are_as_many_as_timms(network):
    expected = sum(parameter.numel() for parameter in network.parameters())
    assert keras_ghostnet.count_parameters(keras_ghostnet.GhostNet()) == expected
