"""Weights of one model in another of the same layers."""

from collections.abc import Sequence

import keras
import numpy as np


def set_weights(copy: keras.layers.Layer, weights: Sequence[np.ndarray]) -> None:
    """Sets all weights of a model or layer, and what is computed from them.

    `Normalization` computes with copies of its mean and variance, which Keras' own `set_weights`
    leaves as they were: of 0 and 1, in a new layer.

    Args:
        copy: A built model or layer.
        weights: Arrays as its `get_weights` returns them.
    """
    copy.set_weights(weights)
    for layer in copy._flatten_layers():
        if isinstance(layer, keras.layers.Normalization):
            layer.finalize_state()
