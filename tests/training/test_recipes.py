"""Recipes: what they hold, how they are changed, and the formulas behind them."""

import numpy as np
import pytest

from keras_ghostnet import list_models
from keras_ghostnet.training import optimization, recipes

NAMES = list(recipes.RECIPES)


@pytest.mark.parametrize("name", NAMES)
def test_recipe(name):
    recipe = recipes.get_recipe(name)
    assert recipe.name == name
    assert recipe.model in list_models()
    text = recipes.documentation(recipe)
    for heading in ("Command: ghostnet train", "Duration:", "Expected:"):
        assert heading in text


def test_authors_recipe_of_c_ghostnet():
    recipe = recipes.get_recipe("ghostnet_100_imagenet")
    assert (recipe.epochs, recipe.batch_size, recipe.learning_rate) == (400, 1024, 0.4)
    assert (recipe.warmup_epochs, recipe.l2, recipe.label_smoothing) == (5, 4e-5, 0.1)
    assert recipe.augmentation.area == (0.08, 1.0)
    assert recipes.get_recipe("ghostnet_050_imagenet").augmentation.area == (0.49, 1.0)


@pytest.mark.parametrize("model", ["ghost_vgg16", "ghost_resnet56"])
def test_authors_recipe_for_cifar(model):
    recipe = recipes.get_recipe(f"{model}_cifar10")
    assert (recipe.model, recipe.image_size, recipe.crop) == (model, 32, 1.0)
    assert (recipe.batch_size, recipe.momentum, recipe.l2) == (128, 0.9, 1e-4)
    rate = optimization.learning_rate(recipe, 390)
    epochs = (0, 199, 201, 299, 301, 374, 376, 399)
    expected = [0.1] * 2 + [0.01] * 2 + [0.001] * 2 + [1e-4] * 2
    np.testing.assert_allclose([float(rate(390 * epoch)) for epoch in epochs], expected, rtol=1e-5)


def test_unknown_recipe():
    with pytest.raises(ValueError, match="Did you mean 'digits'"):
        recipes.get_recipe("digit")


def test_settings_are_typed():
    recipe = recipes.override(
        recipes.get_recipe("smoke"),
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
        recipes.override(recipes.get_recipe("smoke"), [setting])


def rates(*settings, steps=10):
    recipe = recipes.override(
        recipes.get_recipe("smoke"), ["epochs=8", "learning_rate=1", *settings]
    )
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
