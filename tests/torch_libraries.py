"""PyTorch's libraries, where they are installed, and networks of theirs to hold ours against."""

import importlib

import pytest

REASON = "PyTorch and its libraries are not installed: make test-timm"


def load(name):
    """A library beside `torch`; skips the test without it."""
    torch = pytest.importorskip("torch", reason=REASON)
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError:
        pytest.skip(REASON)
    except RuntimeError:
        # torchvision's compiled operations do not load beside a PyTorch that was built without
        # CUDA. No classifier needs them: that they have names is enough.
        for operation in ("nms", "qnms"):
            schema = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
            torch.library.define(f"torchvision::{operation}", schema)
        return importlib.import_module(name)


def randomise_batch_norms(network):
    """Gives batch norms random weights and statistics: fresh ones would hide what they do."""
    import torch

    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.normal_(module.bias, std=0.1)
            torch.nn.init.normal_(module.running_mean, std=0.1)
            torch.nn.init.uniform_(module.running_var, 0.5, 1.5)
