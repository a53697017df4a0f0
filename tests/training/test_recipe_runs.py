"""Every recipe runs: some steps of the network that it names, on tiny images."""

import csv

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from rich.console import Console

from keras_ghostnet import create_model
from keras_ghostnet.training import recipes
from keras_ghostnet.training.run import Run

EXAMPLES, BATCH = 16, 8
TINY = ("epochs=1", f"batch_size={BATCH}", "image_size=64", "warmup_epochs=0.5")


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    for split in ("train", "val"):
        for name in ("ant", "bee"):
            (folder / split / name).mkdir(parents=True)
            for number in range(EXAMPLES // 2):
                pixels = rng.integers(0, 256, (40, 44, 3), "uint8")
                Image.fromarray(pixels).save(folder / split / name / f"{number}.jpg")
    return folder


@pytest.fixture(autouse=True)
def eager():
    """Steps run as they are written: graphs of twelve networks take minutes to build."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.mark.parametrize("name", list(recipes.RECIPES))
def test_recipe_runs(name, photos, tmp_path):
    recipe = recipes.get_recipe(name)
    rate = recipe.learning_rate * BATCH / recipe.batch_size  # the linear rule
    settings = [*TINY, f"learning_rate={rate}"]
    if recipe.weights:  # what would be downloaded
        path = tmp_path / "given.weights.h5"
        create_model(recipe.model).save_weights(path)
        settings.append(f"weights={path}")
    recipe = recipes.override(recipe, settings)
    run = Run(recipe, photos, tmp_path / "run", strategy="one_device", console=Console(quiet=True))
    metrics = run.execute()
    assert metrics["last"]["step"] == 2
    assert run.loop.model.name == recipe.model
    (row,) = csv.DictReader((tmp_path / "run" / "metrics.csv").open())
    assert np.isfinite([float(row[key]) for key in ("loss", "val_loss")]).all()
    moved = [float(np.abs(value).max()) for value in run.loop.state().values()]
    assert np.isfinite(moved).all()
