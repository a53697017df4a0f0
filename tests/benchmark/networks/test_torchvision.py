"""ShuffleNetV2 against torchvision's in PyTorch: size, cost, shapes and, on its weights, logits."""

import numpy as np
import pytest

import keras_ghostnet
from keras_ghostnet.benchmark.networks.catalog import build_network
from tests import torch_libraries
from tests.keras_state import dtype_policy

pytestmark = pytest.mark.timm

PEERS = {
    "shufflenet_v2_050": "shufflenet_v2_x0_5",
    "shufflenet_v2_100": "shufflenet_v2_x1_0",
    "shufflenet_v2_150": "shufflenet_v2_x1_5",
}
# What torchvision numbers within a branch.
BRANCHES = {
    "branch1": ("depthwise_conv", "depthwise_bn", "project_conv", "project_bn"),
    "branch2": (
        *("expand_conv", "expand_bn", None, "depthwise_conv", "depthwise_bn"),
        *("project_conv", "project_bn"),
    ),
}
ENDS = {"conv1.0": "stem_conv", "conv1.1": "stem_bn", "conv5.0": "last_conv", "conv5.1": "last_bn"}
BATCH_NORM = ("weight", "bias", "running_mean", "running_var")


@pytest.fixture(scope="module")
def torch():
    return torch_libraries.load("torch")


@pytest.fixture(scope="module")
def torchvision(torch):
    return torch_libraries.load("torchvision")


@pytest.fixture(scope="module", params=PEERS)
def networks(request, torch, torchvision):
    """torchvision's network in float64, random throughout, and ours with its weights."""
    torch.manual_seed(0)
    theirs = getattr(torchvision.models, PEERS[request.param])(weights=None).double().eval()
    torch_libraries.randomise_batch_norms(theirs)
    for module in theirs.modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(module.weight, mode="fan_in")
    with dtype_policy("float64"):
        ours = build_network(request.param)
    copied = set()
    for name, module in theirs.named_modules():
        if isinstance(module, torch.nn.Conv2d | torch.nn.BatchNorm2d | torch.nn.Linear):
            layer = ours.get_layer(layer_name(name))
            layer.set_weights(weights(torch, module))  # which refuses other shapes
            copied.add(layer.name)
    assert copied == {layer.name for layer in ours.layers if layer.weights}
    return theirs, ours


def layer_name(name):
    """What a module of torchvision is called here."""
    if name in ENDS or name == "fc":
        return ENDS.get(name, "predictions")
    stage, block, branch, number = name.split(".")
    return f"{stage}_block{int(block) + 1}_{branch}_{BRANCHES[branch][int(number)]}"


def weights(torch, module):
    """A module's arrays in the order and layout of the Keras layer."""
    state = {name: tensor.numpy() for name, tensor in module.state_dict().items()}
    if isinstance(module, torch.nn.BatchNorm2d):
        return [state[name] for name in BATCH_NORM]
    if isinstance(module, torch.nn.Linear):
        return [state["weight"].T, state["bias"]]
    # Depthwise: (channels, 1, height, width) to (height, width, channels, 1).
    order = (2, 3, 0, 1) if module.groups > 1 else (2, 3, 1, 0)
    return [state["weight"].transpose(order)]


def test_logits_are_torchvisions(torch, networks):
    theirs, ours = networks
    images = np.random.default_rng(0).normal(size=(2, 224, 224, 3)).astype("float32")
    with torch.no_grad():
        expected = theirs(torch.from_numpy(images.transpose(0, 3, 1, 2).copy()).double()).numpy()
    error = np.abs(np.asarray(ours(images)) - expected).max() / expected.std()
    assert error < 1e-6


def test_size_and_cost_are_torchvisions(torch, networks):
    theirs, ours = networks
    parameters = sum(parameter.numel() for parameter in theirs.parameters())
    assert keras_ghostnet.count_parameters(ours) == parameters
    macs = []
    handles = [
        module.register_forward_hook(
            # Every output is the product of one filter, or of one row.
            lambda module, inputs, output: macs.append(output.numel() * module.weight[0].numel())
        )
        for module in theirs.modules()
        if isinstance(module, torch.nn.Conv2d | torch.nn.Linear)
    ]
    with torch.no_grad():
        theirs(torch.zeros(1, 3, 224, 224, dtype=torch.float64))
    for handle in handles:
        handle.remove()
    assert keras_ghostnet.count_macs(ours) == sum(macs)
