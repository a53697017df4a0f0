"""Small `.tflite` files: the same network of three types, and one with other weights."""

import keras
import numpy as np
import pytest

from keras_ghostnet.export import formats, tflite
from keras_ghostnet.export.graph import deploy, for_tracing
from keras_ghostnet.quiet import quiet

SHAPE = (32, 32, 3)


@pytest.fixture(scope="session")
def pictures():
    """`(5, 32, 32, 3)`, normalized."""
    return np.random.default_rng(0).normal(size=(5, *SHAPE)).astype("float32")


def network(seed):
    """Every kind of kernel that is generated for ARM: dense, pointwise and depthwise."""
    keras.utils.set_random_seed(seed)
    inputs = keras.Input(SHAPE)
    x = keras.layers.Conv2D(16, 3, strides=2, padding="same", activation="relu")(inputs)
    ghost = keras.layers.DepthwiseConv2D(3, padding="same", activation="relu")(x)
    x = keras.layers.Concatenate()([x, ghost])
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(24, 1, activation="relu")(x))
    return keras.Model(inputs, keras.layers.Dense(10)(x))


@pytest.fixture(scope="session")
def paths(tmp_path_factory, pictures):
    """A dict of `float32`, `float16`, `int8`, and `other` (float32, other weights)."""
    folder = tmp_path_factory.mktemp("tflite")
    found = {}
    for name, dtype, seed in (
        ("float32", "float32", 0),
        ("float16", "float16", 0),
        ("int8", "int8", 0),
        ("other", "float32", 1),
    ):
        found[name] = folder / f"{name}.tflite"
        with quiet():
            tflite.export(network(seed), found[name], dtype, pictures)
    return found


@pytest.fixture(scope="session")
def mobile(tmp_path_factory):
    """The same network for ncnn and MNN: a dict of the formats' names."""
    folder, deployed, found = tmp_path_factory.mktemp("mobile"), for_tracing(deploy(network(0))), {}
    for name in ("ncnn_fp32", "ncnn_fp16", "mnn_fp32", "mnn_fp16"):
        fmt = formats.get_format(name)
        found[name] = folder / f"network{fmt.suffix}"
        formats.write(deployed, fmt, found[name])
    return found
