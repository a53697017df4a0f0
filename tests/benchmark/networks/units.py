"""Parts of the table's networks as models, with weights that NumPy computes with too."""

import keras
import numpy as np

from tests.keras_state import dtype_policy
from tests.layers import reference
from tests.layers.reference import Weights


def random_unit(function, shape):
    """A function of maps as a model in float64, its random weights by path, and two maps."""
    with dtype_policy("float64"):
        maps = keras.Input(shape, dtype="float64")
        model = keras.Model(maps, function(maps))
    weights = Weights.__new__(Weights)
    random = np.random.default_rng(0)
    for variable in model.trainable_weights + model.non_trainable_weights:
        if variable.trainable or "moving" in variable.name:
            low, high = (0.5, 1.5) if variable.name in ("gamma", "moving_variance") else (-1, 1)
            variable.assign(random.uniform(low, high, variable.shape))
        weights[variable.path] = np.asarray(variable.value)
    return model, weights, reference.images(2, *shape)


def shuffled(x, groups):
    """Channel by channel: place `i` of group `g` goes to place `g` of group `i`."""
    size = x.shape[-1] // groups
    order = [group * size + place for place in range(size) for group in range(groups)]
    return x[..., order]
