"""What int8 costs on trained networks of both families, on all held-out digits."""

import dataclasses

import keras
import pytest

from keras_ghostnet.export import tflite
from keras_ghostnet.export.graph import deploy, for_tracing
from keras_ghostnet.export.quantization import quantize_aware
from keras_ghostnet.training import recipes
from keras_ghostnet.training.data import Pipeline, open_source
from keras_ghostnet.training.data.arrays import to_arrays
from keras_ghostnet.training.data.digits import write_digits
from keras_ghostnet.training.run import Run
from tests.export.quantization.conftest import accuracy

BATCH = 32
EPOCHS = {"ghostnet_050": 12, "g_ghost_regnetx_002": 12}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_digits(tmp_path_factory.mktemp("data") / "digits")


@pytest.mark.accuracy
@pytest.mark.parametrize("name", EPOCHS)
def test_int8_costs_little(name, folder, tmp_path):
    recipe = dataclasses.replace(recipes.get_recipe("digits"), model=name, epochs=EPOCHS[name])
    Run(recipe, folder, tmp_path / "run").execute()
    model = keras.models.load_model(tmp_path / "run" / "last.keras", compile=False)
    images, labels, _ = to_arrays(pipeline(folder, recipe, "val", training=False))
    calibration, _, _ = to_arrays(pipeline(folder, recipe, "train", training=False))
    training = pipeline(folder, recipe, "train", training=True)
    batches = [
        (batch["image"].numpy(), batch["label"].numpy())
        for batch in training.batches(recipe.epochs, global_batch=BATCH)
    ]

    tflite.export(for_tracing(deploy(model)), tmp_path / "ptq.tflite", "int8", calibration[::7])
    quantize_aware(model, batches, epochs=3).save(tmp_path / "qat.tflite")
    found = {
        "float": accuracy(model.predict(images, verbose=0), labels),
        "ptq": accuracy(tflite.load(tmp_path / "ptq.tflite")(images), labels),
        "qat": accuracy(tflite.load(tmp_path / "qat.tflite")(images), labels),
    }
    assert len(images) == 359
    assert found["float"] > 0.96, found
    assert found["ptq"] >= found["float"] - 0.010, found  # at most 3 images
    assert found["qat"] >= found["float"] - 0.003, found  # at most one


def pipeline(folder, recipe, split, training):
    return Pipeline(
        open_source(folder, split),
        image_size=recipe.image_size,
        training=training,
        augmentation=recipe.augmentation,
        crop=recipe.crop,
    )
