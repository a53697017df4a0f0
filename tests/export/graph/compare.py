"""Models whose weights are as after training, and how far two models are apart."""

import keras
import numpy as np

from keras_ghostnet.benchmark.networks.random_weights import settle_batch_norms


def randomize(model):
    """Gives batch norms and biases random values and real statistics.

    Those of a new model would hide faults: its batch norms do nothing.
    """
    random = np.random.default_rng(0)
    for weight in model.weights:
        if weight.name == "gamma":
            weight.assign(random.uniform(0.5, 1.5, weight.shape))
        elif weight.name in ("beta", "bias"):
            weight.assign(random.normal(0, 0.3, weight.shape))
    return settle_batch_norms(model, images(model), momentum=0.25)


def images(model, size=64):
    """A batch of inputs as a network meets them: smooth patches, and noise.

    White noise alone leaves next to nothing of its mean, which batch norms would amplify.
    """
    random = np.random.default_rng(1)
    height, width, channels = (size if side is None else side for side in model.input_shape[1:])
    patches = random.normal(size=(8, -(-height // 16), -(-width // 16), channels))
    patches = patches.repeat(16, axis=1).repeat(16, axis=2)[:, :height, :width]
    return (patches + 0.3 * random.normal(size=patches.shape)).astype("float32")


def outputs(model, x):
    return np.asarray(keras.ops.convert_to_numpy(model(x, training=False)), "float64")


def error(model, other, x=None):
    """The largest difference of outputs, in standard deviations of the outputs."""
    x = images(model) if x is None else x
    expected, found = outputs(model, x), outputs(other, x)
    assert found.shape == expected.shape
    return np.abs(found - expected).max() / expected.std()


def kinds(model):
    """Names of the classes of a model's layers and operations, sorted."""
    return sorted(type(operation).__name__ for operation in model.operations)
