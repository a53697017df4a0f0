"""What a classifier ends in, and what its outputs say."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_ghostnet.training import heads
from keras_ghostnet.training.logits import logits


def classifier(end):
    inputs = keras.Input((4,))
    return keras.Model(inputs, end(inputs))


def nested(activation):
    part = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, activation=activation)])
    return lambda x: part(x)


# fmt: off
ENDS = {
    "argument": lambda x, name: keras.layers.Dense(3, activation=name)(x),
    "layer": lambda x, name: keras.layers.Activation(name)(keras.layers.Dense(3)(x)),
    "operation": lambda x, name: getattr(keras.ops, name)(keras.layers.Dense(3)(x)),
    "function": lambda x, name: getattr(keras.activations, name)(keras.layers.Dense(3)(x)),
    "nested": lambda x, name: nested(name)(x),
    "float32 behind it": lambda x, name: keras.layers.Activation("linear", dtype="float32")(
        keras.layers.Dense(3, activation=name)(x)),
    "dropout behind it": lambda x, name: keras.layers.Dropout(0.5)(
        keras.layers.Dense(3, activation=name)(x)),
    "reshaped": lambda x, name: keras.layers.Flatten()(
        keras.layers.Dense(3, activation=name)(keras.layers.Reshape((1, 4))(x))),
}
# fmt: on


@pytest.mark.parametrize("name", ["softmax", "sigmoid"])
@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_every_way_to_end_in_probabilities(end, name):
    model = classifier(lambda x: end(x, name))
    assert heads.output_activation(model) == name
    assert heads.is_multi_label(model) == (name == "sigmoid")


def test_the_softmax_layer():
    model = classifier(lambda x: keras.layers.Softmax()(keras.layers.Dense(3)(x)))
    assert heads.output_activation(model) == "softmax"


@pytest.mark.parametrize("activation", [None, "relu", "tanh"])
def test_anything_else_is_linear(activation):
    model = classifier(lambda x: keras.layers.Dense(3, activation=activation)(x))
    assert heads.output_activation(model) == "linear"
    assert not heads.is_multi_label(model)


def test_a_softmax_in_the_middle_is_not_the_end():
    model = classifier(lambda x: keras.layers.Dense(3)(keras.layers.Softmax()(x)))
    assert heads.output_activation(model) == "linear"


@pytest.mark.parametrize(
    ("units", "activation"), [(3, None), (3, "softmax"), (1, None), (1, "sigmoid")]
)
def test_logits_and_probabilities_of_exclusive_classes_agree(units, activation):
    model = classifier(keras.layers.Dense(units, activation=activation))
    images = np.random.default_rng(0).normal(size=(5, 4)).astype("float32")
    outputs = model.predict(images, verbose=0)
    probabilities = np.asarray(heads.to_probabilities(outputs, heads.output_activation(model)))
    assert probabilities.shape == (5, heads.count_classes(model)) == (5, max(2, units))
    np.testing.assert_allclose(probabilities.sum(axis=-1), 1, rtol=1e-5)
    np.testing.assert_allclose(tf.nn.softmax(logits(model, images)), probabilities, rtol=1e-4)


def test_one_unit_is_the_probability_of_the_second_class():
    outputs = np.array([[0.25]], "float32")
    np.testing.assert_allclose(heads.to_probabilities(outputs, "sigmoid"), [[0.75, 0.25]])
    np.testing.assert_allclose(
        heads.to_probabilities(np.log(outputs / 0.75), "linear"), [[0.75, 0.25]], rtol=1e-6
    )


def test_independent_labels_keep_their_own_probabilities():
    model = classifier(keras.layers.Dense(3, activation="sigmoid"))
    images = np.random.default_rng(0).normal(size=(5, 4)).astype("float32")
    outputs = model.predict(images, verbose=0)
    np.testing.assert_array_equal(heads.to_probabilities(outputs, "sigmoid"), outputs)
    np.testing.assert_allclose(tf.sigmoid(logits(model, images)), outputs, rtol=1e-4)


def test_independent_labels_are_refused_by_name():
    model = classifier(keras.layers.Dense(3, activation="sigmoid"))
    with pytest.raises(ValueError, match=r"Distillation needs classes that exclude .* 3 sigmoids"):
        heads.require_exclusive_classes(model, "Distillation")
    heads.require_exclusive_classes(classifier(keras.layers.Dense(1, activation="sigmoid")), "QAT")
