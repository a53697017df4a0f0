"""Scales of concatenated tensors in int8 files for ONNX Runtime, against the maps' own ranges."""

import keras
import numpy as np
import onnx
import pytest
from keras import layers

from keras_ghostnet.export.graph import deploy, for_tracing
from keras_ghostnet.export.onnx import export

IMAGES = np.random.default_rng(0).normal(size=(16, 32, 32, 3)).astype("float32")


def scaled(factor, name):
    """A convolution whose outputs spread by a factor."""
    kernel = keras.initializers.RandomNormal(stddev=factor / 8, seed=int(100 * factor))
    return layers.Conv2D(96, 1, kernel_initializer=kernel, name=name)


def scales(model, path):
    """The scales of all tensors in the file, by the first part of their names."""
    export(for_tracing(deploy(model)), path, "int8", IMAGES)
    graph = onnx.load(path).graph
    values = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
    return {
        node.input[0].partition("/")[0]: values[node.input[1]].item()
        for node in graph.node
        if node.op_type == "QuantizeLinear"
    }


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    inputs = keras.Input(IMAGES.shape[1:])
    maps = layers.Conv2D(64, 4, 4, name="patches")(inputs)
    wide, near, fine = (scaled(*x)(maps) for x in [(1, "wide"), (0.7, "near"), (0.3, "fine")])
    inner = layers.Concatenate(name="inner")([wide, near])
    outer = layers.Concatenate(name="outer")([fine, inner])
    ends = layers.Add()([scaled(1, "last")(outer), scaled(1, "other")(inner)])
    model = keras.Model(inputs, ends)
    maps = keras.Model(inputs, [wide, fine, outer]).predict_on_batch(IMAGES)
    return scales(model, tmp_path_factory.mktemp("int8") / "int8.onnx"), maps


def test_tensors_of_a_concatenation_share_its_scale(found):
    (scale, (_, _, outer)) = found
    assert scale["wide"] == scale["near"] == scale["inner"] == scale["outer"]
    np.testing.assert_allclose(scale["outer"], np.ptp(outer) / 255, rtol=1e-5)


def test_much_finer_ones_keep_their_own(found):
    (scale, (_, fine, _)) = found
    np.testing.assert_allclose(scale["fine"], np.ptp(fine) / 255, rtol=1e-5)
