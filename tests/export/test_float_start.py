"""Which layers of an int8 file for ONNX Runtime stay in float."""

import keras
import numpy as np
import onnx
import pytest
from keras import layers

from keras_ghostnet.export.graph import deploy, for_tracing
from keras_ghostnet.export.onnx import export, load
from keras_ghostnet.export.onnx.conversion import convert
from keras_ghostnet.export.onnx.float_start import float_start


def network(*stack, channels=3, size=64):
    """A model whose maps go through some layers, and its float ONNX network."""
    inputs = maps = keras.Input((size, size, channels), batch_size=None)
    for layer in stack:
        maps = layer(maps)
    pooled = layers.GlobalAveragePooling2D()(maps)
    model = for_tracing(deploy(keras.Model(inputs, layers.Dense(10, name="top")(pooled))))
    return model, convert(model, "NHWC")


def wide(name="wide", filters=512):
    return layers.Conv2D(filters, 1, name=name)


def narrow(name):
    return layers.DepthwiseConv2D(3, padding="same", name=name)


def start_of(found):
    return {name.partition("/")[0] for name in float_start(found)}


def test_narrow_maps_stay_in_float_up_to_the_wide_ones():
    stem = layers.Conv2D(8, 3, 2, "same", name="stem")
    _, found = network(stem, narrow("first"), narrow("second"), wide("widen"), wide())
    assert start_of(found) == {"stem", "first", "second"}


def test_wide_maps_are_integers_from_the_start():
    assert float_start(network(wide("widen"), wide(), channels=64, size=8)[1]) == []


def test_a_shortcut_is_not_cut():
    """The depthwise convolution alone would begin the integers behind it, with two tensors."""

    def residual(maps):
        return layers.Add(name="sum")([maps, wide("inner", 8)(narrow("dw")(maps))])

    stem = layers.Conv2D(8, 3, 2, "same", name="stem")
    _, found = network(stem, residual, wide("widen"), wide())
    assert start_of(found) == {"stem", "dw", "inner", "sum"}


def test_few_weights_stay_in_float():
    """All of this network is faster in float; its first layers have nearly all of its weights."""
    stem = layers.Conv2D(256, 3, 2, "same", name="stem")
    _, found = network(stem, *(narrow(f"dw{n}") for n in range(8)), layers.Conv2D(4, 1, name="few"))
    sizes = {tensor.name: int(np.prod(tensor.dims)) for tensor in found.graph.initializer}
    kept = {name for node in found.graph.node if node.name in float_start(found)
            for name in node.input}  # fmt: skip
    assert sum(sizes.get(name, 0) for name in kept) <= sum(sizes.values()) / 16


@pytest.mark.parametrize("layout", ["NHWC", "NCHW"])
def test_the_file_has_integers_behind_one_quantization(layout, tmp_path):
    stem = layers.Conv2D(8, 3, 2, "same", name="stem")
    model, _ = network(stem, narrow("first"), layers.ReLU(), wide("widen"), wide())
    images = np.random.default_rng(0).normal(size=(8, 64, 64, 3)).astype("float32")
    export(model, tmp_path / "file.onnx", "int8", images, layout)
    nodes = onnx.load(tmp_path / "file.onnx").graph.node
    integers = {node.output[0] for node in nodes if node.op_type == "DequantizeLinear"}
    reads_integers = {
        node.name.partition("/")[0]: node.input[0] in integers
        for node in nodes
        if node.op_type == "Conv"
    }
    assert reads_integers == {"stem": False, "first": False, "widen": True, "wide": True}
    found, expected = load(tmp_path / "file.onnx")(images), np.asarray(model(images))
    assert np.abs(found - expected).max() < 0.05 * np.abs(expected).max()
