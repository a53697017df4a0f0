"""Small classifiers and images for the exports."""

import json
import shutil

import keras
import numpy as np
import pytest

from keras_ghostnet import layers
from keras_ghostnet.benchmark.networks.random_weights import settle_batch_norms
from keras_ghostnet.export.formats import get_format, write
from keras_ghostnet.export.graph import deploy, for_tracing
from keras_ghostnet.preprocessing import normalize, to_pixels
from keras_ghostnet.training.predictions import predict
from tests.export.command import FORMATS, export
from tests.export.networks import NAMES, settled_network
from tests.once import made_once

EXPORTED = tuple(map(get_format, ("saved_model", "tflite_fp32", "tflite_fp16", "tflite_int8")))


@pytest.fixture(scope="module", autouse=True)
def graphs(plain_graphs):
    """Of Keras models that outputs are compared with; runtimes have optimizers of their own."""


def patches(count, size):
    """Smooth patches of color, and noise, as pixels: uint8 `(count, size, size, 3)`."""
    random = np.random.default_rng(0)
    coarse = random.normal(size=(count, 4, 4, 3)).repeat(size // 4, 1).repeat(size // 4, 2)
    images = coarse + 0.2 * random.normal(size=(count, size, size, 3))
    return to_pixels(images)


@pytest.fixture(scope="session")
def images():
    """`(32, 64, 64, 3)`, normalized."""
    return normalize(patches(32, 64))


@pytest.fixture(scope="session", params=NAMES)
def model(request, images):
    return settled_network(request.param, images)


@pytest.fixture(scope="session")
def reference(model, images):
    """The Keras model's `Predictions`, with made-up labels."""
    return predict(model, images, np.arange(len(images)) % 10)


@pytest.fixture(scope="session")
def artifacts(model, images, tmp_path_factory):
    """The model in every format: a dict of the format's name and the path."""

    def make(folder):
        deployed = for_tracing(deploy(model))
        for fmt in EXPORTED:
            write(deployed, fmt, folder / f"{model.name}{fmt.suffix}", images)

    folder = made_once(tmp_path_factory, f"artifacts-{model.name}", make)
    return {fmt.name: folder / f"{model.name}{fmt.suffix}" for fmt in EXPORTED}


def small_network():
    """A network of a few layers, all kinds of C-GhostNet's among them, that sees two classes."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((32, 32, 3))
    x = keras.layers.ZeroPadding2D(1, name="pad")(inputs)
    x = keras.layers.Conv2D(8, 3, strides=2, use_bias=False, name="stem")(x)
    x = keras.layers.BatchNormalization(name="stem_bn")(x)
    x = keras.layers.ReLU(name="stem_relu")(x)
    x = layers.GhostBottleneck(16, 12, strides=2, se_ratio=0.25, name="block")(x)
    x = layers.GhostModule(24, name="ghost")(x)
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    model = keras.Model(inputs, keras.layers.Dense(2, name="predictions")(x), name="small")
    images = normalize(patches(64, 32))
    settle_batch_norms(model, images)
    kernel, bias = model.layers[-1].get_weights()
    # As many of either class, and so that they are easier to distinguish.
    outputs = model.predict(images, verbose=0)
    bias[0] -= np.median(outputs[:, 0] - outputs[:, 1])
    model.layers[-1].set_weights([kernel, bias])
    return model


@pytest.fixture(scope="session")
def run_dir(tmp_path_factory):
    """The folder of a run: the small network, and photos of the classes that it sees in them."""
    return made_once(tmp_path_factory, "run", write_run)


def write_run(folder):
    small, pixels = small_network(), patches(160, 32)
    outputs = small.predict(normalize(pixels), verbose=0)
    margin = outputs[:, 1] - outputs[:, 0]
    clear = np.flatnonzero(np.abs(margin) > np.median(np.abs(margin)))
    for number, index in enumerate(clear):
        split = "val" if number % 2 else "train"
        path = folder / "photos" / split / ("ant", "bee")[int(margin[index] > 0)]
        path.mkdir(parents=True, exist_ok=True)
        keras.utils.save_img(path / f"{index}.png", pixels[index], scale=False)
    small.save(folder / "model.keras")
    run = {"data": str(folder / "photos"), "crop": 1.0, "seed": 0}
    (folder / "config.json").write_text(json.dumps({"run": run, "classes": ["ant", "bee"]}))


@pytest.fixture(scope="session")
def small(run_dir):
    """Its network."""
    return keras.models.load_model(run_dir / "model.keras")


@pytest.fixture(scope="session")
def exported(run_dir, tmp_path_factory):
    """A folder of all formats."""

    def make(out):
        assert export(run_dir, out, names=",".join(FORMATS)) == 0

    return made_once(tmp_path_factory, "exported", make)


@pytest.fixture
def copied(exported, tmp_path):
    return shutil.copytree(exported, tmp_path / "copied")
