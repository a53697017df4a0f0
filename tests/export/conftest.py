"""Two small classifiers and images for the exports."""

import keras
import numpy as np
import pytest

from keras_ghostnet import create_model
from keras_ghostnet.export.formats import FORMATS, export_model
from keras_ghostnet.quiet import quiet
from keras_ghostnet.training.predictions import predict

SHAPE = (64, 64, 3)


def settle(model, images):
    """Gives batch norm the images' statistics, so that the outputs differ as after training."""
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.5
    for _ in range(8):
        model(images, training=True)
    return model


@pytest.fixture(scope="session")
def images():
    """`(32, 64, 64, 3)`: smooth patches of colour, and noise."""
    random = np.random.default_rng(0)
    patches = random.normal(size=(32, 4, 4, 3)).repeat(16, axis=1).repeat(16, axis=2)
    return (patches + 0.2 * random.normal(size=(32, *SHAPE))).astype("float32")


def build(name, images, **kwargs):
    keras.utils.set_random_seed(0)
    with quiet():
        return settle(create_model(name, classes=10, input_shape=SHAPE, **kwargs), images)


@pytest.fixture(scope="session", params=["ghostnet_050", "g_ghost_regnetx_002"])
def model(request, images):
    return build(request.param, images, classifier_activation=None)


@pytest.fixture(scope="session")
def ghostnet(images):
    """With softmax, which users get by default."""
    return build("ghostnet_050", images)


@pytest.fixture(scope="session")
def reference(model, images):
    """The Keras model's `Predictions`, with made-up labels."""
    return predict(model, images, np.arange(len(images)) % 10)


@pytest.fixture(scope="session")
def artifacts(model, images, tmp_path_factory):
    """The model in every format: a dict of the format's name and the path."""
    folder = tmp_path_factory.mktemp("artifacts")
    return {fmt.name: export_model(model, fmt, folder, images) for fmt in FORMATS}
