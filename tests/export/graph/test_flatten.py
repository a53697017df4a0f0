"""What can be taken apart, and what is refused by name."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_ghostnet.export.graph.flatten import flatten
from keras_ghostnet.export.graph.refusals import NotDeployableError
from keras_ghostnet.layers import GhostModule, SqueezeExcite


def same(model):
    """The flat model, which outputs exactly what the model does."""
    flat = flatten(model).to_model()
    x = np.random.default_rng(0).normal(size=(2, *model.input_shape[1:])).astype("float32")
    found, expected = flat(x, training=False), model(x, training=False)
    for a, b in zip(keras.tree.flatten(found), keras.tree.flatten(expected), strict=True):
        np.testing.assert_array_equal(a, b)
    return flat


def names(model):
    return [layer.name for layer in model.layers]


def test_nested_and_sequential_models():
    inner = keras.Sequential([layers.Conv2D(4, 3, name="conv"), layers.ReLU(name="relu")], name="a")
    inputs = keras.Input((8, 8, 3), name="images")
    middle = keras.Model(inputs, inner(inputs), name="b")
    model = keras.Sequential([keras.Input((8, 8, 3), name="images"), middle, layers.Flatten()])
    assert names(same(model))[:3] == ["images", "b_a_conv", "b_a_relu"]


def test_a_layer_that_is_called_twice():
    inputs = keras.Input((8,))
    dense = layers.Dense(8, name="dense")
    assert names(same(keras.Model(inputs, dense(dense(inputs)))))[1:] == ["dense", "dense_1"]


def test_several_outputs_keep_their_structure():
    inputs = keras.Input((8,))
    model = keras.Model(inputs, {"a": layers.Dense(2)(inputs), "b": [inputs]})
    assert set(same(model).output) == {"a", "b"}


def test_operations_without_a_stock_layer_stay():
    inputs = keras.Input((8, 8, 3))
    x = keras.ops.sin(layers.Conv2D(4, 3)(inputs))
    same(keras.Model(inputs, keras.ops.logsumexp(x, axis=-1)))


def test_layers_with_several_inputs_and_outputs():
    inputs = keras.Input((6, 4))
    y, state = layers.GRU(5, return_state=True)(inputs)
    z = layers.MultiHeadAttention(2, 3)(inputs, value=inputs, key=inputs)
    same(keras.Model(inputs, [y, state, z]))


@keras.saving.register_keras_serializable(package="test_flatten")
def shifted_relu(x):
    return keras.ops.relu(x) + 1


def test_ghost_modules_that_cut_their_maps_and_other_activations():
    inputs = keras.Input((8, 8, 3))
    x = GhostModule(7, ratio=3, activation="silu")(inputs)
    x = SqueezeExcite(gate_activation="sigmoid", activation=shifted_relu)(x)
    same(keras.Model(inputs, x))


class Scale(layers.Layer):
    """A layer with a weight of its own."""

    def build(self, shape):
        self.scale = self.add_weight(shape=(), initializer="ones", name="scale")

    def call(self, x):
        return x * self.scale


class Eager(layers.Layer):
    """A layer that wants values."""

    def call(self, x):
        return x if float(x.sum()) else -x

    def compute_output_shape(self, shape):
        return shape


def sequential(*parts):
    return keras.Sequential([keras.Input((8,)), *parts])


class Subclass(keras.Model):
    def call(self, x):
        return x


def several_inputs():
    inputs = [keras.Input((8,), name="left"), keras.Input((8,), name="right")]
    return keras.Model(inputs, layers.Add()(inputs))


def wrapped():
    inputs = keras.Input((2, 8, 8, 3))
    return keras.Model(inputs, layers.TimeDistributed(GhostModule(4), name="mine")(inputs))


REFUSED = {
    "weights of its own": (lambda: sequential(Scale(name="mine")), "'mine'.*weights outside"),
    "values": (lambda: sequential(Eager(name="mine")), "'mine'.*symbolic"),
    "lambda": (lambda: sequential(layers.Lambda(lambda x: x, name="mine")), "'mine'.*runs code"),
    "nested lambda": (
        lambda: sequential(sequential(layers.Lambda(lambda x: x, name="mine"))),
        "'mine'.*runs code",
    ),
    "wrapped": (wrapped, "'mine'.*argument `layer`"),
    "subclass": (lambda: Subclass(name="mine"), "mine has no graph"),
    "not built": (lambda: keras.Sequential([layers.Dense(2)], name="mine"), "mine has no graph"),
    "two inputs": (several_inputs, "left, right"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_refused(kind):
    build, message = REFUSED[kind]
    with pytest.raises(NotDeployableError, match=message):
        flatten(build())
