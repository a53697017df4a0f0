"""Recipes: what they hold, how they are changed, and the formulas behind them."""

import dataclasses
import itertools
import json
import shlex

import numpy as np
import pytest

from keras_ghostnet import cli, list_models
from keras_ghostnet.training import optimization, recipes
from keras_ghostnet.training.data import Augmentation

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


def test_authors_recipe_of_ghostnetv2():
    recipe = recipes.get_recipe("ghostnetv2_100_imagenet")
    assert (recipe.optimizer, recipe.epsilon, recipe.rho, recipe.momentum) == (
        "rmsprop", 1e-3, 0.9, 0.9,
    )  # fmt: skip
    assert (recipe.epochs, recipe.batch_size, recipe.l2, recipe.ema) == (450, 1024, 1e-5, 0.9999)
    rate = optimization.learning_rate(recipe, 1000)
    for epoch, decays in ((2.9, None), (3.1, 1), (4.7, 1), (4.9, 2), (449.9, 187)):
        expected = 0.064 * (epoch / 3 if decays is None else 0.973**decays)
        assert float(rate(round(1000 * epoch))) == pytest.approx(expected, rel=1e-4)


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
        ("augmentation.flipp=1", "Did you mean 'augmentation.flip'"),
        ("flip=false", "Did you mean 'augmentation.flip'"),
        ("lr=0.1", "Did you mean 'learning_rate'"),
        ("bs=8", "Did you mean 'batch_size'"),
        ("augmentation=none", "no setting 'augmentation'"),
        ("epochs=1.5", "`epochs` takes an integer"),
        ("learning_rate=-1", r"`learning_rate` takes a number in \(0, inf\)"),
        ("schedule=cosin", "`schedule` takes one of cosine, step, exponential, constant"),
        ("optimizer=adam", "`optimizer` takes one of sgd, rmsprop, adamw, lamb"),
        ("betas=0.9", "`betas` takes 2 numbers"),
        ("betas=0.9,1", r"a number in \[0, 1\)"),
        ("epsilon=0", r"`epsilon` takes a number in \(0, inf\)"),
        ("decay_epochs=0", r"`decay_epochs` takes a number in \(0, inf\)"),
        ("augmentation.rand_augment_probability=2", r"a number in \[0, 1\]"),
        ("milestones=60,30", "in ascending order"),
        ("milestones=nan", "`milestones` takes numbers"),
        ("augmentation.area=0.5", "`augmentation.area` takes 2 numbers"),
        ("augmentation.area=0.5,1,1", "`augmentation.area` takes 2 numbers"),
        ("augmentation.area=1,0.5", "in ascending order"),
        ("augmentation.rand_augment=9", "`augmentation.rand_augment` takes 2 numbers"),
        ("augmentation.rand_augment=1.5,9", "`augmentation.rand_augment` takes 2 numbers"),
        ("augmentation.pad_crop=4", "needs `augmentation.area` to be none"),
        ("nesterov=maybe", "takes true or false"),
        ("dropout_rate=1", r"takes a number in \[0, 1\)"),
    ],
)
def test_wrong_settings(setting, message):
    with pytest.raises(ValueError, match=message):
        recipes.override(recipes.get_recipe("smoke"), [setting])


NUMBERS = [
    key
    for setting in recipes.list_settings(recipes.get_recipe("smoke"))
    for key, _, text in [setting.partition("=")]
    if text.replace(".", "").replace("e-", "").isdigit()
]


@pytest.mark.parametrize("key", NUMBERS)
@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "-1", "-1e-9"])
def test_no_number_is_negative_or_not_finite(key, value):
    with pytest.raises(ValueError, match=f"`{key}` takes"):
        recipes.override(recipes.get_recipe("smoke"), [f"{key}={value}"])


def test_numbers_are_most_settings():
    assert {"learning_rate", "l2", "epochs", "seed", "augmentation.mixup"} <= set(NUMBERS)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("epochs", 1.5), ("epochs", True), ("nesterov", 1), ("model", 3), ("learning_rate", "1"),
        ("milestones", 30), ("milestones", (30, 20)), ("precision", "float16"), ("crop", 0.0),
        ("augmentation", {"flip": False}), ("seed", 2**32),
    ],
)  # fmt: skip
def test_values_are_checked_in_python_too(setting, value):
    with pytest.raises(ValueError, match=f"`{setting}` must be"):
        dataclasses.replace(recipes.get_recipe("smoke"), **{setting: value})


def test_json_gives_the_same_recipe_back():
    recipe = recipes.get_recipe("ghost_vgg16_cifar10")
    fields = json.loads(json.dumps(dataclasses.asdict(recipe)))
    fields["augmentation"] = Augmentation(**fields["augmentation"])
    assert recipes.Recipe(**fields) == recipe


@pytest.mark.parametrize("name", NAMES)
def test_printed_settings_can_be_pasted(name, capsys):
    assert cli.main(cli.parse(["ghostnet", "recipes", name])) == 0
    words = shlex.split(capsys.readouterr().out.rpartition("takes them:")[2])
    settings = [word for before, word in itertools.pairwise(words) if before == "--set"]
    recipe, other = recipes.get_recipe(name), recipes.get_recipe("digits")
    other = dataclasses.replace(other, name=recipe.name, published=recipe.published)
    assert recipes.override(other, settings) == recipe


@pytest.mark.parametrize("weights", ["balanced", "1.0,2.5", "ant=2.0,the bee=0.5"])
def test_class_weights_can_be_pasted(weights):
    recipe = recipes.override(recipes.get_recipe("smoke"), [f"class_weights={weights}"])
    assert f"class_weights={weights}" in recipes.list_settings(recipe)


def test_only_sgd_has_nesterovs_momentum():
    recipe = recipes.override(recipes.get_recipe("smoke"), ["nesterov=yes"])
    with pytest.raises(ValueError, match=r"set nesterov=false\. Received: optimizer=.adamw."):
        recipes.override(recipe, ["optimizer=adamw"])


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
    later = rates("schedule=step", "milestones=2,5", "decay=0.1", "warmup_epochs=1")
    np.testing.assert_allclose(later[10:], values[10:], rtol=1e-5)


def test_exponential_decay_counts_from_the_beginning():
    values = rates("schedule=exponential", "decay=0.5", "decay_epochs=2.4", "warmup_epochs=1")
    np.testing.assert_allclose(values[:10], np.arange(10) / 10, atol=1e-6)
    expected = [1] * 14 + [0.5] * 24 + [0.25] * 24 + [0.125] * 8
    np.testing.assert_allclose(values[10:], expected, rtol=1e-5)


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
