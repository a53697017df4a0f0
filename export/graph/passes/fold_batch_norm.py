"""Folds batch norms into the convolutions and dense layers beside them."""

import keras
import numpy as np

from keras_ghostnet.export.graph.passes.linear import (
    channel_axis,
    is_linear,
    scale_input,
    scale_output,
    sees_padding,
)


def fold_batch_norms(graph):
    """Folds batch norms into the layer before, or else into those after.

    A batch norm is an affine map of each channel at inference. It goes into the convolution or
    dense layer before it, if that has no other use; else into all that follow it, if they are
    convolutions that pad nothing or dense layers. Where neither is so it stays. Computed in
    double precision. Changes and returns the graph.
    """
    for node in graph.nodes():
        if node.kind is not keras.layers.BatchNormalization or len(node.inputs) != 1:
            continue
        before, users = node.inputs[0], graph.users(node)
        if _fits(before, node) and graph.only_user(before) is node:
            scale_output(before, *affine(node))
        elif users and all(_fits(user, node) and not sees_padding(user) for user in users):
            for user in users:
                scale_input(user, *affine(node))
        else:
            continue
        graph.replace(node, before)
    return graph


def _fits(node, norm):
    """Whether a node is linear along the axis that a batch norm normalizes."""
    return node and is_linear(node) and channel_axis(node) == norm.axis(norm.config["axis"])


def affine(norm):
    """The factor and the offset of each channel."""
    weights = [weight.astype("float64") for weight in norm.weights]
    mean, variance = weights[-2:]
    gamma = weights.pop(0) if norm.config["scale"] else 1.0
    beta = weights.pop(0) if norm.config["center"] else 0.0
    scale = gamma / np.sqrt(variance + norm.config["epsilon"])
    return scale, beta - mean * scale
