"""Runs networks on one Keras backend and saves what they put out, for `test_backends`.

Usage: KERAS_BACKEND=jax python -m tests.backend_run FOLDER FORMAT...
"""

import pathlib
import sys

import keras
import numpy as np

import keras_ghostnet
from tests.golden import values
from tests.golden.checkpoints import Golden
from tests.keras_state import image_data_format

GOLDEN = ("kecam_ghostnet_050_224", "huawei_g_ghost_regnetx_002_128")
SIZE = 96  # at 64 the narrow network is ill-conditioned: float32 is off by 2e-4 there
ROLES = {"gamma": "scale", "beta": "offset", "bias": "offset"}
ROLES |= {"moving_mean": "mean", "moving_variance": "variance"}


def shape(height, width):
    """The shape of an image in Keras' data format."""
    if keras.config.image_data_format() == "channels_first":
        return (3, height, width)
    return (height, width, 3)


def logits(model, images):
    """The output of a model without activation for images with channels last."""
    if keras.config.image_data_format() == "channels_first":
        images = images.transpose(0, 3, 1, 2)
    return model.predict_on_batch(images)


def golden_logits(name, folder):
    """A network with the weights of another program."""
    golden = Golden(name)
    model = keras_ghostnet.create_model(
        golden.model,
        weights=golden.write(folder),
        classifier_activation=None,
        input_shape=shape(*golden.input_shape[:2]),
    )
    return logits(model, golden.images())


def set_values(model):
    """Gives a model weights that depend on the variables' paths alone."""
    for variable in model.weights:
        depthwise = "cheap_conv" in variable.path or "depthwise_conv" in variable.path
        fan_in = np.prod(variable.shape[:2] if depthwise else variable.shape[:-1])
        role = ROLES.get(variable.name, ("kernel", fan_in))
        variable.assign(values.tensor(variable.path, tuple(variable.shape), role))


def narrow_logits():
    """A width without public weights."""
    model = keras_ghostnet.GhostNet(
        0.25, input_shape=shape(SIZE, SIZE), classes=10, classifier_activation=None
    )
    set_values(model)
    return logits(model, values.image_batch(seed=3, batch=2, height=SIZE, width=SIZE))


def losses(build):
    """The losses before and after a step of training on eight random images."""
    model = build(input_shape=shape(64, 64), classes=2, dropout_rate=0.0)
    set_values(model)
    model.compile(keras.optimizers.SGD(1e-4), "sparse_categorical_crossentropy")
    images = values.image_batch(seed=4, batch=8, height=64, width=64)
    history = model.fit(images, np.arange(8) % 2, epochs=2, verbose=0, shuffle=False).history
    return np.asarray(history["loss"])


def main(folder, *data_formats):
    folder, results = pathlib.Path(folder), {}
    for data_format in data_formats:
        with image_data_format(data_format):
            results |= {f"{name} {data_format}": golden_logits(name, folder) for name in GOLDEN}
            results[f"narrow {data_format}"] = narrow_logits()
    backend = keras.backend.backend()
    # Before `fit`, for which Keras itself imports TensorFlow where it is installed.
    assert backend == "tensorflow" or "tensorflow" not in sys.modules
    results["losses ghostnet"] = losses(lambda **options: keras_ghostnet.GhostNet(0.25, **options))
    results["losses g_ghost"] = losses(keras_ghostnet.GGhostRegNetX002)
    np.savez(folder / f"{backend}.npz", **results)


if __name__ == "__main__":
    main(*sys.argv[1:])
