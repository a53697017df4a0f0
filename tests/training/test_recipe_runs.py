"""Recipes run: some steps of one of each family, on tiny images; the others equal their sibling.

With short networks: what is tested is what a recipe sets.
"""

import csv
import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_ghostnet import create_model
from keras_ghostnet.training import classifiers, recipes
from keras_ghostnet.training.run import Run
from tests.training.photographs import write_folder

pytestmark = pytest.mark.usefixtures("short_networks")

BATCH = 8
# Of every family the recipe that is run, with a small network where there is one.
RUN = {
    "ghostnet_050_imagenet": "ghostnet_050",
    "ghostnetv2_100_imagenet": "ghostnet_050",
    "ghostnetv3_100_imagenet": "ghostnet_050",
    "ghostnet_100_imagenet_modern": "ghostnet_050",
    "g_ghost_regnetx_032_imagenet": "g_ghost_regnetx_002",
    "ghost_vgg16_cifar10": "ghost_vgg16",
}
SIBLINGS = {  # these differ from one that is run in the network alone
    "ghostnet_100_imagenet": "ghostnet_050_imagenet",
    "ghostnet_130_imagenet": "ghostnet_050_imagenet",
    "ghostnetv2_130_imagenet": "ghostnetv2_100_imagenet",
    "ghostnetv2_160_imagenet": "ghostnetv2_100_imagenet",
    "ghostnetv3_050_imagenet": "ghostnetv3_100_imagenet",
    "ghostnetv3_130_imagenet": "ghostnetv3_100_imagenet",
    "ghostnetv3_160_imagenet": "ghostnetv3_100_imagenet",
    "ghostnetv3_100_imagenet_modern": "ghostnet_100_imagenet_modern",
    "g_ghost_regnetx_040_imagenet": "g_ghost_regnetx_032_imagenet",
    "g_ghost_regnetx_080_imagenet": "g_ghost_regnetx_032_imagenet",
    "g_ghost_regnetx_160_imagenet": "g_ghost_regnetx_032_imagenet",
    "ghost_resnet56_cifar10": "ghost_vgg16_cifar10",
}
# Below, in test_segmentation.py, in test_quickstart.py, in test_run.py.
ELSEWHERE = {"fine_tuning", "segmentation", "digits", "smoke"}
REPGHOST = {name for name in recipes.RECIPES if name.startswith("repghostnet_")}  # only built


def test_every_recipe_is_tested():
    assert {*RUN, *SIBLINGS, *ELSEWHERE, *REPGHOST} == set(recipes.RECIPES)


@pytest.fixture
def eager():
    """Steps run as they are written: graphs of these networks take long to build."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize("name", RUN)
def test_recipe_runs(name, tmp_path):
    recipe = recipes.get_recipe(name)
    rate = recipe.learning_rate * BATCH / recipe.batch_size  # the linear rule
    settings = ["epochs=1", "image_size=32", "warmup_epochs=0.5", f"batch_size={BATCH}"]
    settings += [f"model={RUN[name]}", f"learning_rate={rate}"]
    recipe = recipes.override(recipe, settings)
    photos = write_folder(tmp_path / "photos", per_class=BATCH)
    run = Run(recipe, photos, tmp_path / "run", strategy="one_device")
    metrics = run.execute()
    assert metrics["last"]["step"] == 2
    assert run.loop.model.name == recipe.model
    (row,) = csv.DictReader((tmp_path / "run" / "metrics.csv").open())
    assert np.isfinite([float(row[key]) for key in ("loss", "val_loss")]).all()
    assert all(np.isfinite(value).all() for value in run.loop.state().values())


@pytest.mark.parametrize("name", SIBLINGS)
def test_sibling_differs_in_the_network_alone(name):
    recipe, sibling = recipes.get_recipe(name), recipes.get_recipe(SIBLINGS[name])
    same = {field: getattr(recipe, field) for field in ("name", "model", "published")}
    if "ghostnet_050" in sibling.name:  # the authors crop less for narrow networks
        area = recipe.augmentation.area
        same["augmentation"] = dataclasses.replace(sibling.augmentation, area=area)
    assert dataclasses.replace(sibling, **same) == recipe


def test_repghosts_recipes_differ_in_network_and_augmentation_alone():
    """What they set is in the recipes that are run."""
    small, large = (recipes.get_recipe(f"repghostnet_{width}_imagenet") for width in (111, 130))
    assert (small.epochs, small.learning_rate, small.ema, small.nesterov) == (
        300,
        0.6,
        0.9999,
        True,
    )
    assert small.augmentation.rand_augment[0] == 0
    v2 = recipes.get_recipe("ghostnetv2_100_imagenet")
    assert large.augmentation == v2.augmentation
    for name in REPGHOST:
        recipe = recipes.get_recipe(name)
        sibling = large if recipe.model >= large.model else small
        same = {field: getattr(recipe, field) for field in ("name", "model", "published")}
        assert dataclasses.replace(sibling, **same) == recipe


def test_fine_tuning_starts_from_the_weights(tmp_path):
    path = tmp_path / "given.weights.h5"
    given = create_model("ghostnet_050")
    given.save_weights(path)
    recipe = recipes.get_recipe("fine_tuning")
    assert recipe.weights == "imagenet"
    recipe = recipes.override(recipe, ["model=ghostnet_050", f"weights={path}"])
    network = classifiers.build_classifier(recipe, 7)
    assert network.output_shape == (None, 7)
    assert network.layers[-1].activation is keras.activations.linear
    kernels = {weight.path: weight for weight in given.weights}
    backbone = [weight for weight in network.weights if "predictions" not in weight.path]
    assert len(backbone) == len(kernels) - 4  # kernels and biases of the head and the classifier
    for weight in backbone:
        np.testing.assert_array_equal(weight, kernels[weight.path])
