"""Every network of the tables: size and cost as published, outputs, names, exactness of notes."""

import re

import keras
import numpy as np
import pytest

import keras_ghostnet
from keras_ghostnet.benchmark.networks import blocks
from keras_ghostnet.benchmark.paper_table import get_row, rows
from keras_ghostnet.layers import GroupedConv2D

OTHERS = [row for suite in ("since", "gpu") for row in rows(suite) if not row.is_ours]
ROWS = [*rows(), *OTHERS]
# Built of Keras' own networks, whose layers have Keras' names.
APPLICATIONS = ("mobilenet_v1", "mobilenet_v2", "mobilenet_v3", "resnet_50")


@pytest.fixture(scope="module", params=ROWS, ids=[row.name for row in ROWS])
def built(request):
    """Each row in turn with its network, built once."""
    return request.param, request.param.build()


def agrees(counted, published, decimals):
    """Whether a figure is the published one, rounded as that is printed, or within 1 %."""
    return (
        published is None
        or round(counted, decimals) == published
        or abs(counted - published) <= 0.01 * published
    )


def test_size_and_cost_are_the_published_ones_or_a_note_says_why_not(built):
    row, model = built
    parameters = keras_ghostnet.count_parameters(model) / 1e6
    macs = keras_ghostnet.count_macs(model) / 1e6
    # The paper prints whole millions of multiply-adds, RegNet's tenths of thousand millions.
    agree = agrees(parameters, row.parameters, 1) and agrees(
        macs, row.macs, -2 if row.suite == "gpu" else 0
    )
    assert agree == (row.note == ""), (parameters, macs)


def test_a_note_is_a_sentence_with_figures():
    for row in ROWS:
        if row.note:
            assert row.note.endswith(".")
            assert re.search(r"\d", row.note)


def test_images_in_logits_out(built):
    row, model = built
    assert model.name == row.name
    assert model.input_shape == (None, row.size, row.size, 3)
    assert model.output_shape == (None, 1000)
    assert len(model.inputs) == len(model.outputs) == 1


def test_layers_are_named_by_their_place(built):
    row, model = built
    if row.name.startswith(APPLICATIONS):
        return
    paths = [weight.path for weight in model.weights]
    assert len(set(paths)) == len(paths)
    names = [layer.name for layer in model.layers[1:] if isinstance(layer, keras.layers.Layer)]
    numbered = re.compile(r"(conv2d|batch_normalization|re_lu|activation|dense|add)(_\d+)?")
    assert [name for name in names if numbered.fullmatch(name)] == []


def test_grouped_convolutions_are_ones_that_export(built):
    _, model = built
    grouped = [
        layer
        for layer in model._flatten_layers()
        if isinstance(layer, keras.layers.Conv2D) and layer.groups > 1
    ]
    assert all(isinstance(layer, GroupedConv2D) for layer in grouped)


def test_ghostnetv3_is_built_as_it_is_deployed():
    assert keras_ghostnet.count_parameters(get_row("ghostnetv3_050").build(size=64)) == 2_842_240


@pytest.mark.parametrize("name", ["mobilenet_v3_large_035", "mnasnet_a1", "mobilenext_100"])
def test_other_sizes_and_no_softmax(name):
    model = get_row(name).build(size=64)
    assert model.input_shape == (None, 64, 64, 3)
    images = np.random.default_rng(0).normal(size=(2, 64, 64, 3)).astype("float32")
    logits = np.asarray(model(images))
    assert logits.min() < 0 < logits.max()


@pytest.mark.parametrize(
    ("padding", "first", "last"),
    [({}, 4, 9), ({"padding": "symmetric"}, 4, 9), ({"padding": "same"}, 9, 4)],
)
def test_padding_is_pytorchs_where_it_is_not_said_otherwise(padding, first, last):
    """Of 6 pixels at stride 2 the corners' windows see 2 x 2 or 3 x 3 of the image."""
    inputs = keras.Input((6, 6, 1))
    x = blocks.depthwise_bn(inputs, 3, 2, activation=None, **padding, name="block")
    model = keras.Model(inputs, x)
    model.get_layer("block_conv").set_weights([np.ones((3, 3, 1, 1))])
    maps = np.asarray(model(np.ones((1, 6, 6, 1))))[0, :, :, 0]
    np.testing.assert_allclose([maps[0, 0], maps[-1, -1]], [first, last], rtol=1e-4)
