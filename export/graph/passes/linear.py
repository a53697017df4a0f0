"""Layers that are linear in their input, and how a factor and an offset get into their weights."""

import keras
import numpy as np

CONVOLUTIONS = (keras.layers.Conv1D, keras.layers.Conv2D, keras.layers.Conv3D)
DEPTHWISE = (keras.layers.DepthwiseConv1D, keras.layers.DepthwiseConv2D)
LINEAR = (*CONVOLUTIONS, *DEPTHWISE, keras.layers.Dense)


def is_linear(node):
    """Whether a node computes `kernel * input + bias`."""
    return node.kind in LINEAR


def channel_axis(node):
    """The axis of a linear node's channels, in its input and output, counted from the front."""
    last = node.config.get("data_format", "channels_last") == "channels_last"
    return node.axis(-1) if last else 1


def sees_padding(node):
    """Whether a linear node also multiplies zeros around its input."""
    if node.kind is keras.layers.Dense:
        return False
    return node.config["padding"] != "valid" and set(node.config["kernel_size"]) != {1}


def scale_output(node, scale, shift=0.0):
    """Makes a node compute `scale * output + shift`; either a number, or one for each channel."""
    kernel, bias = kernel_and_bias(node)
    channels = len(bias)
    scale, shift = (np.broadcast_to(value, channels) for value in (scale, shift))
    factor = scale.reshape(kernel.shape[-2:]) if node.kind in DEPTHWISE else scale
    _assign(node, kernel * factor, bias * scale + shift)


def scale_input(node, scale, shift=0.0):
    """Makes a node compute of its input `x` what it did of `scale * x + shift`.

    A shift is exact only if the node does not see padding.
    """
    kernel, bias = kernel_and_bias(node)
    groups = node.config.get("groups", 1)
    inputs = kernel.shape[-2] * groups
    # One factor for every input channel and output channel of the kernel.
    scale, shift = (
        np.broadcast_to(value, inputs).reshape(groups, -1).repeat(kernel.shape[-1] // groups, 0).T
        for value in (scale, shift)
    )
    added = (kernel * shift).sum(axis=tuple(range(kernel.ndim - 2)))
    added = added.ravel() if node.kind in DEPTHWISE else added.sum(axis=0)
    _assign(node, kernel * scale, bias + added)


def kernel_and_bias(node):
    """Kernel and bias, zeros if there is none, in double precision."""
    kernel = node.weights[0].astype("float64")
    if node.config["use_bias"]:
        return kernel, node.weights[1].astype("float64")
    depthwise = node.kind in DEPTHWISE
    return kernel, np.zeros(np.prod(kernel.shape[-2:]) if depthwise else kernel.shape[-1])


def _assign(node, kernel, bias):
    node.weights = [kernel, bias]
    node.config = {**node.config, "use_bias": True}
