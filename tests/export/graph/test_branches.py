"""Parallel convolutions of one input that are added: which become one, and which must not."""

import pytest
from keras import layers

from keras_ghostnet.export.graph.deploy import deploy
from keras_ghostnet.export.graph.passes.branches import fold_branches
from keras_ghostnet.export.graph.passes.fold_batch_norm import fold_batch_norms
from keras_ghostnet.layers import RepConv2D
from tests.export.graph.passes import DEPTHWISE, after, network


def conv_bn(x, *arguments, kind=layers.Conv2D, **options):
    return layers.BatchNormalization()(kind(*arguments, padding="same", **options)(x))


def depthwise_bn(x, *arguments, **options):
    return conv_bn(x, *arguments, kind=layers.DepthwiseConv2D, **options)


def symmetric(x, size, strides):
    padded = layers.ZeroPadding2D(size // 2)(x)
    maps = layers.DepthwiseConv2D(size, strides, use_bias=False)(padded)
    return layers.BatchNormalization()(maps)


BRANCHES = {
    "RepVGG": (
        lambda x: conv_bn(x, 4, 3) + conv_bn(x, 4, 1) + layers.BatchNormalization()(x),
        ["Conv2D"],
    ),
    "skip first": (lambda x: layers.BatchNormalization()(x) + depthwise_bn(x, 3), [DEPTHWISE]),
    "GhostNetV3": (
        lambda x: symmetric(x, 5, 2) + depthwise_bn(x, 1, strides=2) + symmetric(x, 3, 2),
        ["ZeroPadding2D", DEPTHWISE],
    ),
    "one layer": (
        lambda x: layers.Add()(
            [layers.BatchNormalization()(x), conv_bn(x, 4, 1), conv_bn(x, 4, 3)]
        ),
        ["Conv2D"],
    ),
    "ACNet": (
        lambda x: conv_bn(x, 6, (1, 3)) + conv_bn(x, 6, 3) + conv_bn(x, 6, (3, 1)),
        ["Conv2D"],
    ),
    "groups": (
        lambda x: conv_bn(x, 4, 3, groups=2) + layers.BatchNormalization()(x),
        ["GroupedConv2D"],
    ),
    "dilated": (
        lambda x: conv_bn(x, 4, 3, dilation_rate=2) + conv_bn(x, 4, 1) + conv_bn(x, 4, 5),
        ["Conv2D", "Conv2D", "Add"],  # its pixels are none of a dilated kernel's
    ),
    "Keras' padding": (
        lambda x: depthwise_bn(x, 3, strides=2) + depthwise_bn(x, 1, strides=2),
        [DEPTHWISE],
    ),
    "normalized": (
        lambda x: layers.BatchNormalization()(layers.Conv2D(4, 1)(x) + layers.Conv2D(4, 1)(x)),
        ["Conv2D"],
    ),
    "activated": (
        lambda x: layers.ReLU()(conv_bn(x, 4, 3)) + conv_bn(x, 4, 1),
        ["Conv2D", "ReLU", "Conv2D", "Add"],
    ),
    "other input": (
        lambda x: conv_bn(layers.ReLU()(x), 4, 3) + conv_bn(x, 4, 1),
        ["ReLU", "Conv2D", "Conv2D", "Add"],
    ),
    "by row": (
        lambda x: conv_bn(x, 4, 3) + layers.BatchNormalization(axis=1)(x),
        ["Conv2D", "BatchNormalization", "Add"],
    ),
    "not within": (
        lambda x: (
            layers.DepthwiseConv2D(1, strides=2)(x[:, :-1, :-1])
            + layers.DepthwiseConv2D(2, strides=2)(x)
        ),
        None,
    ),
}


@pytest.mark.parametrize("name", BRANCHES)
def test_branches_become_one_convolution(name):
    function, expected = BRANCHES[name]
    found = after(lambda graph: fold_branches(fold_batch_norms(graph)), network(function))
    assert expected is None or sorted(found) == sorted(expected)


def test_a_branch_that_is_used_elsewhere_stays():
    def function(x):
        branch = conv_bn(x, 4, 3)
        return (branch + conv_bn(x, 4, 1)) * branch

    found = after(fold_branches, network(function))
    assert found.count("Conv2D") == 2


def test_a_sum_is_named_by_what_its_branches_are_parts_of():
    model = network(RepConv2D(4, 3, branches=3, pointwise=True, skip=True, name="cheap_conv"))
    assert [layer.name for layer in deploy(model).layers[1:]] == ["cheap_conv"]
