"""Recipes: what they hold, how they are changed, and the formulas behind them."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_ghostnet import list_models
from keras_ghostnet.training import optimization, recipes
from keras_ghostnet.training.loop import Loop

NAMES = list(recipes.RECIPES)


@pytest.mark.parametrize("name", NAMES)
def test_recipe(name):
    recipe = recipes.find(name)
    assert recipe.name == name
    assert recipe.model in list_models()
    text = recipes.documentation(recipe)
    for heading in ("Command: ghostnet train", "Duration:", "Expected:"):
        assert heading in text


def test_authors_recipe_of_c_ghostnet():
    recipe = recipes.find("ghostnet_100_imagenet")
    assert (recipe.epochs, recipe.batch_size, recipe.learning_rate) == (400, 1024, 0.4)
    assert (recipe.warmup_epochs, recipe.l2, recipe.label_smoothing) == (5, 4e-5, 0.1)
    assert recipe.augmentation.area == (0.08, 1.0)
    assert recipes.find("ghostnet_050_imagenet").augmentation.area == (0.49, 1.0)


def test_unknown_recipe():
    with pytest.raises(ValueError, match="Did you mean 'digits'"):
        recipes.find("digit")


def test_settings_are_typed():
    recipe = recipes.override(
        recipes.find("smoke"),
        ["epochs=7", "l2=1e-3", "nesterov=yes", "weights=none", "milestones=30,60",
         "augmentation.flip=false", "augmentation.area=0.5,1", "model=ghostnet_130"],
    )  # fmt: skip
    assert (recipe.epochs, recipe.l2, recipe.nesterov, recipe.weights) == (7, 1e-3, True, None)
    assert recipe.milestones == (30.0, 60.0)
    assert (recipe.augmentation.flip, recipe.augmentation.area) == (False, (0.5, 1.0))


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("epochs", "takes key=value"),
        ("epoch=3", "Did you mean 'epochs'"),
        ("augmentation.flipp=1", "Did you mean 'flip'"),
        ("nesterov=maybe", "takes true or false"),
        ("dropout_rate=1", r"must be in \[0, 1\)"),
    ],
)
def test_wrong_settings(setting, message):
    with pytest.raises(ValueError, match=message):
        recipes.override(recipes.find("smoke"), [setting])


def rates(*settings, steps=10):
    recipe = recipes.override(recipes.find("smoke"), ["epochs=8", "learning_rate=1", *settings])
    schedule = optimization.learning_rate(recipe, steps)
    return np.array([float(schedule(step)) for step in range(8 * steps)])


def test_cosine_with_warm_up():
    values = rates("warmup_epochs=2")
    np.testing.assert_allclose(values[:20], np.arange(20) / 20, atol=1e-6)
    expected = (1 + np.cos(np.pi * np.arange(60) / 60)) / 2
    np.testing.assert_allclose(values[20:], expected, atol=1e-6)


def test_steps():
    values = rates("schedule=step", "milestones=2,5", "decay=0.1")
    np.testing.assert_allclose(values, [1] * 20 + [0.1] * 30 + [0.01] * 30, rtol=1e-5)


@pytest.mark.parametrize("name", ["ghostnet_050", "g_ghost_regnetx_002"])
def test_kernels_that_are_decayed(name):
    from keras_ghostnet import create_model

    decayed = optimization.decayed_kernels(create_model(name, input_shape=(32, 32, 3)))
    assert all(weight.name == "kernel" for weight in decayed)
    depthwise = [w.path for w in decayed if "depthwise" in w.path or w.path.endswith("cheap_conv")]
    assert not depthwise
    if name == "ghostnet_050":
        # stem, 16 x 2 primary convolutions, 7 x 2 of SE, 5 shortcuts, final, head, classifier
        assert len(decayed) == 1 + 32 + 14 + 5 + 1 + 1 + 1


def one_step(*settings, pixel=0.0):
    """The weight before and after three steps of a linear model; black images give no gradient."""
    recipe = recipes.override(
        recipes.find("smoke"),
        ["batch_size=2", "learning_rate=0.5", "schedule=constant", "ema=0", "clip_norm=0", "l2=0",
         *settings],
    )  # fmt: skip

    def build():
        inputs = keras.Input((1, 1, 3))
        x = keras.layers.Conv2D(3, 1, use_bias=False, name="conv")(inputs)
        return keras.Model(inputs, keras.layers.Flatten()(x))

    loop = Loop(recipe, build, 10, tf.distribute.get_strategy())
    before = loop.model.get_weights()[0].copy()
    batch = {
        "image": tf.fill((2, 1, 1, 3), pixel),
        "label": tf.constant([0, 1]),
        "weight": tf.ones(2),
    }
    history = [before]
    for _ in range(3):
        loop.train_step(batch)
        history.append(loop.model.get_weights()[0].copy())
    return history, loop


def test_l2_is_added_to_the_gradient_before_the_momentum():
    history, _ = one_step("l2=0.1", "momentum=0.9")
    weight, velocity = history[0].astype("float64"), 0.0
    for value in history[1:]:
        velocity = 0.9 * velocity - 0.5 * 0.1 * weight
        weight = weight + velocity
        np.testing.assert_allclose(value, weight, rtol=1e-5)


def test_decoupled_decay_is_beside_the_momentum():
    history, _ = one_step("weight_decay=0.1", "momentum=0.9")
    for step, value in enumerate(history):
        np.testing.assert_allclose(value, history[0] * (1 - 0.5 * 0.1) ** step, rtol=1e-5)


def test_clipping_holds_the_global_norm():
    history, _ = one_step("clip_norm=1e-3", "momentum=0", pixel=1.0)
    for before, after in itertools.pairwise(history):
        np.testing.assert_allclose(np.linalg.norm(after - before), 0.5 * 1e-3, rtol=1e-3)


def test_moving_average():
    history, loop = one_step("l2=0.1", "ema=0.75")
    average = history[0]
    for value in history[1:]:
        average = 0.75 * average + 0.25 * value
    with loop.evaluated_weights() as model:
        np.testing.assert_allclose(model.get_weights()[0], average, rtol=1e-5)
    np.testing.assert_array_equal(loop.model.get_weights()[0], history[-1])
