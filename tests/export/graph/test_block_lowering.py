"""Passes that fill the blocks of channels and of columns that kernels take at a time."""

import keras
import numpy as np
import pytest
from keras.layers import Cropping2D, DepthwiseConv2D, Permute, ZeroPadding2D

from keras_ghostnet.export import tflite
from keras_ghostnet.export.graph import for_tracing
from keras_ghostnet.export.graph.flatten import flatten
from keras_ghostnet.export.graph.lowering.columns import add_columns
from keras_ghostnet.export.graph.lowering.fill import fill_blocks
from keras_ghostnet.export.graph.lowering.strips import StripPadding, convolve_strips
from keras_ghostnet.export.graph.nodes import is_concatenation


def require_same(model, graph):
    """In double precision, where rounding is far below any fault, and with biases that count."""
    images = np.random.default_rng(0).normal(size=(2, *model.input_shape[1:]))
    expected, found = (
        keras.tree.flatten(built(images)) for built in (flatten(model).to_model("float64"), graph)
    )
    for one, other in zip(expected, found, strict=True):
        np.testing.assert_allclose(other, one, rtol=0, atol=1e-12 * np.std(one))


def randomized(model):
    random = np.random.default_rng(1)
    model.set_weights([random.normal(size=weight.shape) for weight in model.get_weights()])
    return model


def ghost(x, maps, relu=True):
    intrinsic = keras.layers.Conv2D(maps, 1)(x)
    intrinsic = keras.layers.ReLU()(intrinsic) if relu else intrinsic
    cheap = DepthwiseConv2D(3, padding="same")(intrinsic)
    cheap = keras.layers.ReLU()(cheap) if relu else cheap
    return keras.layers.Concatenate()([intrinsic, cheap])


@pytest.mark.parametrize(
    ("maps", "parts"),
    [(20, [16, 24]), (12, [8, 16]), (17, [16, 24]), (22, [24, 24]), (8, [8, 8]), (4, None)],
)
@pytest.mark.parametrize("relu", [True, False])
def test_modules_of_whole_blocks(maps, parts, relu):
    """The last block has both halves of a module if they fit into it."""
    inputs = keras.Input((6, 6, 3))
    outputs = keras.layers.Conv2D(5, 1)(ghost(inputs, maps, relu))
    model = randomized(keras.Model(inputs, outputs))
    graph = fill_blocks(flatten(model), 8)
    found = [
        [part.shape[-1] for part in node.inputs]
        for node in graph.nodes()
        if is_concatenation(node, 3)
    ]
    assert found == ([parts] if parts else [])
    require_same(model, graph.to_model("float64"))


def test_sums_and_gates_take_the_order():
    """Through residual sums, strided convolutions, gates and further modules."""
    inputs = keras.Input((12, 12, 3))
    first = keras.layers.Add()([ghost(inputs, 12, relu=False), keras.layers.Conv2D(24, 1)(inputs)])
    second = keras.layers.Add()([first, ghost(ghost(first, 20), 12, relu=False)])
    strided = DepthwiseConv2D(3, strides=2)(ZeroPadding2D(1)(second))
    gate = keras.layers.GlobalAveragePooling2D(keepdims=True)(strided)
    gated = keras.layers.Multiply()([strided, keras.layers.Conv2D(24, 1)(gate)])
    model = randomized(keras.Model(inputs, keras.layers.Conv2D(5, 1)(gated)))
    graph = fill_blocks(flatten(model), 8)
    assert sum(node.kind is Cropping2D for node in graph.nodes()) == 3
    require_same(model, graph.to_model("float64"))


def test_modules_whose_order_is_seen_stay():
    """Of outputs, of sums with maps that cannot be ordered, and of sums of unlike modules."""
    inputs = keras.Input((6, 6, 24))
    outputs = [
        ghost(inputs, 12),
        keras.layers.Add()([ghost(inputs, 12), inputs]),
        keras.layers.Conv2D(3, 1)(keras.layers.UpSampling2D()(ghost(inputs, 12))),
    ]
    model = keras.Model(inputs, outputs)
    before = [node.shape for node in flatten(model).nodes()]
    assert [node.shape for node in fill_blocks(flatten(model), 8).nodes()] == before


@pytest.mark.parametrize(
    ("size", "strides", "columns"),
    [
        (7, 1, 8),
        (14, 1, 16),
        (28, 1, 32),
        (14, 2, 8),
        (56, 2, 32),
        (8, 1, 8),
        (16, 1, 16),
        (5, 1, 5),
    ],
)
@pytest.mark.parametrize("kernel", [3, 5])
def test_columns(size, strides, columns, kernel):
    """Rows that MNN's kernels compute by fours or more; what is added is not seen."""
    inputs = keras.Input((size, size, 4))
    x = inputs if strides == 1 else ZeroPadding2D(kernel // 2)(inputs)
    padding = "same" if strides == 1 else "valid"
    x = keras.layers.ReLU()(DepthwiseConv2D(kernel, strides, padding)(x))
    model = randomized(keras.Model(inputs, x))
    graph = add_columns(flatten(model))
    (wide,) = (node for node in graph.nodes() if node.kind is DepthwiseConv2D)
    assert wide.shape[2] == columns
    require_same(model, graph.to_model("float64"))


@pytest.mark.parametrize("kernel", [3, 5])
@pytest.mark.parametrize("strips", [2, 4])
def test_strips(kernel, strips):
    """Two plain convolutions, between which maps stay in the order of strips, and two strided."""
    inputs = keras.Input((32, 32, 3))
    x = keras.layers.Conv2D(4, 3, padding="same")(inputs)
    x = keras.layers.ReLU()(DepthwiseConv2D(kernel, padding="same")(x))
    x = keras.layers.Concatenate()([x, keras.layers.Conv2D(2, 1)(x)])
    x = DepthwiseConv2D(kernel, padding="same")(x)
    x = keras.layers.Add()([x, keras.layers.GlobalAveragePooling2D(keepdims=True)(x)])
    shortcut = DepthwiseConv2D(kernel, 2)(ZeroPadding2D(kernel // 2)(x))
    x = keras.layers.ReLU()(DepthwiseConv2D(3, 2)(ZeroPadding2D(1)(x)))
    x = keras.layers.Add()([x, shortcut])
    model = randomized(keras.Model(inputs, [x, keras.layers.GlobalAveragePooling2D()(x)]))
    graph = convolve_strips(flatten(model), strips, copy=-1000, least=8)  # whatever it costs
    kinds = [node.kind for node in graph.nodes()]
    assert kinds.count(StripPadding) == 4
    # Into strips and back for the first two, into them for the others, and back from each.
    assert kinds.count(Permute) == 5
    require_same(model, graph.to_model("float64"))


def test_strips_in_a_file(tmp_path):
    """LiteRT computes them, in one part, in which the maps are put into order and back."""
    inputs = keras.Input((64, 64, 3))
    x = keras.layers.Conv2D(8, 3, padding="same")(inputs)
    x = keras.layers.ReLU()(DepthwiseConv2D(3, padding="same")(x))
    x = DepthwiseConv2D(5, 2)(ZeroPadding2D(2)(keras.layers.Conv2D(12, 1)(x)))
    model = keras.Model(inputs, keras.layers.Conv2D(4, 32)(x))
    images = np.random.default_rng(0).normal(size=(3, 64, 64, 3)).astype("float32")
    path = tmp_path / "strips.tflite"
    tflite.export(for_tracing(model), path, "float16", target="arm")
    assert tflite.operators(path.read_bytes())["TRANSPOSE"] == 2
    expected = model.predict(images, verbose=0)
    found = np.concatenate([tflite.load(path)(image[None]) for image in images])
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-3 * expected.std())


def test_maps_that_strips_do_not_pay_for_stay():
    """Small, wide, of small kernels, or not to be divided."""
    inputs = keras.Input((32, 32, 4))
    outputs = [
        DepthwiseConv2D(5, padding="same")(inputs),
        DepthwiseConv2D(5)(inputs),
        DepthwiseConv2D(5, padding="same", depth_multiplier=2)(inputs),
        DepthwiseConv2D(5, padding="same")(keras.layers.Conv2D(97, 1)(inputs)),
        DepthwiseConv2D(3, padding="same")(keras.layers.Conv2D(4, 1)(inputs)),
    ]
    model = keras.Model(inputs, outputs)
    for copy, least, expected in ((0.5, 8, 1), (0.5, 9, 0), (-1000, 8, 3)):
        graph = convolve_strips(flatten(model), 4, copy, least)
        assert sum(node.kind is StripPadding for node in graph.nodes()) == expected
        require_same(model, graph.to_model("float64"))
