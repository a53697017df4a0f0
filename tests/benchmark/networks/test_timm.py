"""The table's networks against timm's and torchvision's networks of the same name, in PyTorch."""

import collections
import dataclasses
import functools
import importlib
import math

import keras
import numpy as np
import pytest

import keras_ghostnet
from keras_ghostnet.benchmark.networks import applications, blocks, inverted_residuals
from keras_ghostnet.benchmark.paper_table import get_row, rows
from tests import test_timm, torch_libraries
from tests.keras_state import dtype_policy

pytestmark = pytest.mark.timm

torch, timm = test_timm.torch, test_timm.timm

# Name here -> library and name there. timm has MobileNetV1 at full width alone.
PEERS = {
    "mobilenet_v2_035": ("timm", "mobilenetv2_035"),
    "mobilenet_v2_075": ("timm", "mobilenetv2_075"),
    "mobilenet_v2_100": ("timm", "mobilenetv2_100"),
    "mobilenet_v3_large_075": ("timm", "tf_mobilenetv3_large_075"),
    "mobilenet_v3_large_100": ("timm", "tf_mobilenetv3_large_100"),
    "mobilenet_v1_100": ("timm", "mobilenetv1_100"),
    "mnasnet_a1": ("timm", "semnasnet_100"),
    "mobilenet_v4_conv_small": ("timm", "mobilenetv4_conv_small"),
    "starnet_s1": ("timm", "starnet_s1"),
    "fasternet_t0": ("timm", "fasternet_t0"),
    "shufflenet_v2_050": ("torchvision", "shufflenet_v2_x0_5"),
    "shufflenet_v2_100": ("torchvision", "shufflenet_v2_x1_0"),
    "shufflenet_v2_150": ("torchvision", "shufflenet_v2_x1_5"),
    **{row.name: ("timm", row.name) for row in rows("gpu") if row.name.startswith("regnetx_")},
}
TOLERANCE = 1e-6  # of the standard deviation, in float64; another padding makes 1.9


@pytest.fixture
def peer(request, torch, timm):
    """The network there, on the meta device: shapes without weights, so that any is quick."""
    library, name = PEERS[request.param]
    with torch.device("meta"):
        if library == "timm":
            return request.param, timm.create_model(name, pretrained=False).eval()
        return request.param, importlib.import_module("torchvision.models").get_model(name).eval()


def network(name):
    if name == "mobilenet_v1_100":
        return applications.mobilenet_v1(1.0, 224, name)
    return get_row(name).build()


def measure(torch, model, size):
    """Multiply-adds of one image through a PyTorch model, and the shapes of its kernels."""
    macs, kernels = 0, collections.Counter()

    def count(module, inputs, output):
        nonlocal macs
        shape = module.weight.shape
        places = math.prod(output.shape[2:])
        macs += math.prod(shape) * places
        height, width = shape[2:] if len(shape) == 4 else (1, 1)
        kernels[height, width, shape[1], shape[0]] += 1

    for module in model.modules():
        if isinstance(module, (torch.nn.Conv2d, torch.nn.Linear)):
            module.register_forward_hook(count)
    model(torch.zeros((1, 3, size, size), device="meta"))
    return macs, kernels


def kernels(model):
    """How often each (height, width, channels per group, channels) is there in a Keras model."""
    found = collections.Counter()
    for weight in model.weights:
        if weight.name == "kernel":
            *size, inputs, outputs = (1, 1, *weight.shape)[-4:]
            depthwise = outputs == 1  # as Keras has it, (height, width, channels, 1)
            found[(*size, 1, inputs) if depthwise else (*size, inputs, outputs)] += 1
    return found


@pytest.mark.parametrize("peer", PEERS, indirect=True)
def test_parameters_multiply_adds_and_kernels_are_theirs(torch, peer):
    name, there = peer
    here = network(name)
    macs, shapes = measure(torch, there, here.input_shape[1])
    assert keras_ghostnet.count_parameters(here) == sum(p.numel() for p in there.parameters())
    assert keras_ghostnet.count_macs(here) == macs
    assert kernels(here) == shapes


def test_kernels_of_resnet_50_are_timms(torch, timm):
    """timm's has the stride in the 3x3 convolutions (4.09 G), and no biases beside batch norms."""
    with torch.device("meta"):
        there = timm.create_model("resnet50", pretrained=False).eval()
    macs, shapes = measure(torch, there, 224)
    here = get_row("resnet_50").build()
    assert kernels(here) == shapes
    assert keras_ghostnet.count_macs(here) < macs
    biases = sum(math.prod(w.shape) for w in here.weights if w.path.endswith("conv/bias"))
    parameters = sum(p.numel() for p in there.parameters())
    assert keras_ghostnet.count_parameters(here) - biases == parameters


def fold(timm, there):
    """RepViT as it is deployed: branches and batch norms are in the convolutions."""
    return importlib.import_module("timm.utils.model").reparameterize_model(there)


def test_kernels_of_repvit_are_timms_once_folded(torch, timm):
    with torch.device("meta"):
        there = fold(timm, timm.create_model("repvit_m0_9", pretrained=False).eval())
    macs, shapes = measure(torch, there, 224)
    here = get_row("repvit_m0_9").build()
    assert keras_ghostnet.count_macs(here) == macs
    assert kernels(here) == shapes
    scales = sum(math.prod(weight.shape) for weight in here.weights if weight.name == "gamma")
    parameters = sum(p.numel() for p in there.parameters())
    assert keras_ghostnet.count_parameters(here) - scales == parameters


def randomize(torch, there):
    """Gives a PyTorch network weights under which nothing fades, and batch norms statistics."""
    torch.manual_seed(0)
    torch_libraries.randomise_batch_norms(there)
    for module in there.modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(module.weight)
    return there


def assign(torch, model, there):
    """Gives a Keras model the weights of a PyTorch one whose layers run in the same order.

    A batch norm that PyTorch's has no more, being folded, keeps the values that change nothing but
    for the offset, which is the convolution's bias.
    """
    ran = []
    hooks = [
        module.register_forward_hook(lambda module, *_: ran.append(module))
        for module in there.modules()
        if list(module.parameters(recurse=False))
    ]
    there(torch.zeros((1, 3, 64, 64), dtype=torch.float64))
    for hook in hooks:
        hook.remove()
    state = [
        value.numpy()
        for module in ran
        for name, value in module.state_dict().items()
        if "num_batches" not in name
    ]
    weights = model.weights
    if len(state) < len(weights):
        for norm in model._flatten_layers():
            if isinstance(norm, keras.layers.BatchNormalization):
                norm.moving_variance.assign(norm.moving_variance - norm.epsilon)
        weights = [w for w in weights if w.name not in ("gamma", "moving_mean", "moving_variance")]
    for weight, value in zip(weights, state, strict=True):
        if value.ndim == 4:
            value = (
                value.transpose(2, 3, 0, 1)
                if weight.shape[-1] == 1
                else value.transpose(2, 3, 1, 0)
            )
        weight.assign(value.T if value.ndim == 2 else value)


@pytest.mark.parametrize(
    ("name", "build"),
    [
        (
            "semnasnet_100",
            # timm trains it with PyTorch's padding, the authors with TensorFlow's.
            functools.partial(
                blocks.classifier,
                functools.partial(
                    inverted_residuals.features,
                    network=dataclasses.replace(inverted_residuals.MNASNET_A1, padding="symmetric"),
                ),
                name="mnasnet_a1",
            ),
        ),
        ("regnetx_002", get_row("regnetx_002").build),
        ("mobilenetv4_conv_small", get_row("mobilenet_v4_conv_small").build),
        ("repvit_m0_9", get_row("repvit_m0_9").build),
        ("starnet_s1", get_row("starnet_s1").build),
        ("fasternet_t0", get_row("fasternet_t0").build),
    ],
)
def test_logits_are_timms(torch, timm, name, build):
    # In float64: StarNet's products amplify float32's rounding from block to block.
    there = randomize(torch, timm.create_model(name, pretrained=False).eval())
    there = (fold(timm, there) if name.startswith("repvit") else there).double()
    with dtype_policy("float64"):
        here = build(size=160)
    assign(torch, here, there)
    images = np.random.default_rng(0).normal(size=(2, 160, 160, 3))
    images = images.astype("float32").astype("float64")  # as Keras' inputs round them
    with torch.no_grad():
        expected = there(torch.from_numpy(images.transpose(0, 3, 1, 2).copy())).numpy()
    error = np.abs(np.asarray(here(images)) - expected).max() / expected.std()
    assert error < TOLERANCE
