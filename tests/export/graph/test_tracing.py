"""Grouped convolutions for exporters."""

import keras
import pytest
import tensorflow as tf

from keras_ghostnet.export.graph import deploy, for_tracing
from keras_ghostnet.layers import GroupedConv2D
from tests.export.graph.compare import error, randomize
from tests.export.networks import SHAPE, short_network


@pytest.fixture(scope="module")
def deployed():
    return deploy(randomize(short_network("g_ghost_regnetx_002")))


def operations(model):
    function = tf.function(lambda x: model(x, training=False))
    graph = function.get_concrete_function(tf.TensorSpec((1, *SHAPE))).graph
    return [operation.type for operation in graph.get_operations()]


def test_what_it_is_for(deployed):
    assert any(type(layer) is keras.layers.Conv2D and layer.groups > 1 for layer in deployed.layers)
    assert any("PartitionedCall" in kind for kind in operations(deployed))


def test_grouped_convolutions_become_plain_operations(deployed):
    traced = for_tracing(deployed)
    found = operations(traced)
    assert not any("PartitionedCall" in kind for kind in found)
    assert found.count("Conv2D") == sum(
        isinstance(layer, keras.layers.Conv2D) for layer in deployed.layers
    )
    assert [layer.name for layer in traced.layers] == [layer.name for layer in deployed.layers]
    assert error(deployed, traced) < 1e-5
    assert any(isinstance(layer, GroupedConv2D) for layer in traced.layers)


def test_a_model_without_them_is_given_back():
    model = deploy(short_network("ghostnet_050"))
    assert for_tracing(model) is model
