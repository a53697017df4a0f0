"""The ReLU that belongs to a node."""

import keras

from keras_ghostnet.export.graph.nodes import Graph, Node


def before_activation(node: Node) -> tuple[Node, Node | None]:
    """What a ReLU is applied to, and the ReLU; of any other node itself, and None."""
    if node.kind is keras.layers.ReLU:
        return node.inputs[0], node
    return node, None


def activated(graph: Graph, node: Node) -> Node | None:
    """The ReLU that is all that uses a node; None if there is none."""
    user = graph.only_user(node)
    return user if user and user.kind is keras.layers.ReLU else None


def activate(node: Node, activation: Node | None) -> Node:
    """Applies the ReLU of another node, if there is one."""
    if activation is None:
        return node
    return Node(activation.name, activation.kind, activation.config, [node], node.shape)
