"""First convolutions in ONNX that read images as they lie in memory, against the Keras model."""

import keras
import numpy as np
import onnx
import pytest
from keras import layers

from keras_ghostnet.export.graph import deploy, for_tracing
from keras_ghostnet.export.onnx import export, load

SIZE = (37, 30)


def conv(filters=8, kernel=3, strides=1, padding="same", **options):
    return layers.Conv2D(filters, kernel, strides, padding, **options)


def branches(maps):
    return layers.Concatenate()([conv(8, 3, 2)(maps), conv(16, 5, 2)(maps)])


def twice(maps):
    """One kernel for the images and for what is made of them."""
    shared = conv(3)
    return shared(shared(maps))


def pooled(maps):
    return layers.Concatenate()([conv(8, 3, 2)(maps), layers.MaxPooling2D(2, 2, "same")(maps)])


FOUND = {
    "3x3": conv(),
    "3x3 stride 2": conv(strides=2),
    "7x7 stride 2": conv(16, 7, 2),
    "2x5": conv(kernel=(2, 5)),
    "valid": conv(kernel=4, strides=3, padding="valid"),
    "1x1": conv(kernel=1),
    "patches": conv(kernel=6, strides=6, padding="valid"),
    "branches": branches,
}
LEFT = {
    "dilated": conv(dilation_rate=2),
    "groups": conv(6, groups=3),
    "depthwise": layers.DepthwiseConv2D(3, padding="same"),
    "a kernel of two": twice,
    "pooled": pooled,
    "no convolution": layers.MaxPooling2D(),
}


@pytest.mark.parametrize("name", [*FOUND, *LEFT])
def test_images_are_transposed_only_where_they_must_be(name, tmp_path):
    keras.utils.set_random_seed(0)
    inputs = keras.Input((*SIZE, 3))
    model = keras.Model(inputs, layers.Flatten()({**FOUND, **LEFT}[name](inputs)))
    images = np.random.default_rng(0).normal(size=(3, *SIZE, 3)).astype("float32")
    path = tmp_path / "model.onnx"
    export(for_tracing(deploy(model)), path)
    expected = model.predict_on_batch(images)
    np.testing.assert_allclose(load(path)(images), expected, atol=1e-5)
    first = [node.op_type for node in onnx.load(path).graph.node if "images" in node.input]
    assert first == ["Reshape" if name in FOUND else "Transpose"]
