"""Grouped convolutions in graphs against their groups one by one: once here, once without oneDNN.

Usage: TF_ENABLE_ONEDNN_OPTS=0 python -m tests.layers.grouped
"""

import numpy as np
import tensorflow as tf

from keras_ghostnet.layers import GroupedConv2D


def random_maps(dtype):
    return tf.constant(np.random.default_rng(0).standard_normal((2, 7, 6, 12)), dtype)


def by_groups(x, kernel, groups, strides):
    parts = zip(tf.split(x, groups, -1), tf.split(kernel, groups, -1), strict=True)
    return tf.concat([tf.nn.conv2d(*part, strides, "VALID") for part in parts], -1)


def relative_error(actual, expected):
    return float(np.abs(actual - expected).max() / np.abs(expected).max())


def gradient_error(dtype):
    """Largest relative error of the gradients with respect to the input and the kernel."""
    x = random_maps(dtype)
    layer = GroupedConv2D(18, 3, strides=2, groups=3, use_bias=False, dtype=dtype)
    layer.build(x.shape)
    kernel = layer.kernel.value
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        actual = tf.reduce_sum(tf.function(layer)(x) ** 2)
        expected = tf.reduce_sum(by_groups(x, kernel, 3, 2) ** 2)
    gradients = (tape.gradient(value, [x, kernel]) for value in (actual, expected))
    return max(relative_error(*pair) for pair in zip(*gradients, strict=True))


def bias_error():
    """Largest relative error of a convolution with bias and ReLU."""
    x = random_maps("float32")
    layer = GroupedConv2D(18, 3, groups=3, activation="relu", bias_initializer="random_normal")
    layer.build(x.shape)
    expected = tf.nn.relu(by_groups(x, layer.kernel.value, 3, 1) + layer.bias.value)
    return relative_error(tf.function(layer.__call__)(x), expected)


if __name__ == "__main__":
    print(gradient_error("float32"), gradient_error("float64"), bias_error())
