"""Ghost modules in a graph: a convolution's maps beside a depthwise convolution of them."""

import dataclasses

import keras

from keras_ghostnet.export.graph.lowering.activations import before_activation
from keras_ghostnet.export.graph.nodes import Node, is_concatenation, is_convolution

CHANNELS = 3  # the axis


@dataclasses.dataclass(frozen=True)
class GhostModule:
    """The nodes of `concat(x, depthwise(x))` of `x = conv(...)`.

    Attributes:
        convolution: Makes the intrinsic maps.
        depthwise: Makes the others of these: with as many places, its kernels centered.
        relus: The ReLU of each, of one kind; None where there is none.
    """

    convolution: Node
    depthwise: Node
    relus: tuple[Node | None, Node | None]


def as_ghost_module(node: Node) -> GhostModule | None:
    """The ghost module that a concatenation ends; None for any other node."""
    if not is_concatenation(node, CHANNELS) or len(node.inputs) != 2:
        return None
    intrinsic, ghost = node.inputs
    depthwise, ghost_relu = before_activation(ghost)
    convolution, relu = before_activation(intrinsic)
    if (
        depthwise.kind is not keras.layers.DepthwiseConv2D
        or depthwise.inputs[0] is not intrinsic
        or depthwise.shape != intrinsic.shape
        or not _is_centered(depthwise)
        or not is_convolution(convolution)
        or (relu and relu.config) != (ghost_relu and ghost_relu.config)
    ):
        return None
    return GhostModule(convolution, depthwise, (relu, ghost_relu))


def _is_centered(depthwise):
    config = depthwise.config
    return (
        config["padding"] == "same"
        and config["depth_multiplier"] == 1
        and config["data_format"] == "channels_last"
        and set(config["strides"]) == {1}
        and all(size % 2 for size in config["kernel_size"])
    )
