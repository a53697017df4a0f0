"""The fused batch norm against Keras' own."""

import pathlib
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_ghostnet.layers import BatchNormalization, GGhostStage, GhostBottleneck
from keras_ghostnet.layers.normalization import batch_norms, pooled_batch_norms, synchronized
from tests.layers.replicas import ALONE, POLICIES, SHARES
from tests.training import runs

SHAPES = {"maps": (4, 5, 6, 3), "single pixels": (4, 1, 1, 3), "one value": (1, 1, 1, 3)}


def pair(**options):
    """The same layer fused and as Keras has it, with weights that are not their initial ones."""
    layers = BatchNormalization(**options), keras.layers.BatchNormalization(**options)
    rng = np.random.default_rng(0)
    values = [rng.uniform(0.5, 2, 3) for _ in range(4)]
    for layer in layers:
        layer.build((None, None, None, 3) if layer.axis != 1 else (None, 3, None, None))
        layer.set_weights(values)
    return layers


def train(layer, images):
    """Outputs and gradients of two training steps, and the weights after them."""
    results = []
    for x in images:
        x = tf.constant(x)
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x, training=True)
            loss = tf.reduce_sum(
                tf.cast(y, "float32") ** 2
                * tf.reshape(
                    tf.range(tf.size(y), dtype="float32") / tf.cast(tf.size(y), "float32"),
                    tf.shape(y),
                )
            )
        gradients = tape.gradient(loss, [x, layer.gamma.value, layer.beta.value])
        results += [y, *gradients]
    return [keras.ops.convert_to_numpy(keras.ops.cast(r, "float32")) for r in results] + [
        *layer.get_weights()
    ]


def images(shape, dtype="float32"):
    rng = np.random.default_rng(1)
    return [tf.cast(3 + 2 * rng.standard_normal(shape), dtype) for _ in range(2)]


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
@pytest.mark.parametrize("epsilon", [1e-3, 1e-5])
def test_trains_as_keras_does(shape, epsilon):
    fused, stock = pair(epsilon=epsilon, momentum=0.9)
    for a, b in zip(train(fused, images(shape)), train(stock, images(shape)), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4 * max(1, abs(b).max()))
    for a, b in zip(fused.get_weights(), stock.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)


def test_small_epsilon_is_kept():
    fused, stock = pair(epsilon=1e-7)
    x = images((4, 5, 6, 3))[0] * 1e-3
    np.testing.assert_allclose(fused(x, training=True), stock(x, training=True), rtol=1e-3)


def test_channels_first():
    shape = (4, 3, 5, 6)
    fused, stock = pair(axis=1)
    for a, b in zip(train(fused, images(shape)), train(stock, images(shape)), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_mixed_precision(dtype):
    fused, stock = pair(dtype=f"mixed_{dtype}")
    data = images((4, 5, 6, 3), dtype)
    assert fused(data[0], training=True).dtype == dtype
    results = zip(train(fused, data), train(stock, data), strict=True)
    for a, b in results:
        np.testing.assert_allclose(a, b, rtol=0.02, atol=0.02 * max(1, abs(b).max()))
    assert {weight.dtype for weight in fused.weights} == {"float32"}


def test_no_images_change_no_statistics():
    fused, _ = pair()
    before = fused.get_weights()
    assert fused(tf.zeros((0, 5, 6, 3)), training=True).shape == (0, 5, 6, 3)
    step = tf.function(lambda x: fused(x, training=True))
    step.get_concrete_function(tf.TensorSpec((None, 5, 6, 3)))(tf.zeros((0, 5, 6, 3)))
    for a, b in zip(fused.get_weights(), before, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.fixture(scope="module")
def replicas(tmp_path_factory):
    """What the process that trains on two replicas wrote."""
    out = tmp_path_factory.mktemp("replicas") / "results.npz"
    words = [sys.executable, "-m", "tests.layers.replicas", str(out)]
    with runs.started(words, cwd=pathlib.Path(__file__).parents[2]) as (process,):
        _, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors[-3000:]
    return dict(np.load(out))


@pytest.mark.workers
@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("shares", SHARES, ids=str)
def test_synchronized_ones_are_keras_own_on_all_images(policy, shares, replicas):
    tolerance = 1e-5 if policy == "float32" else 0.02
    for name in ("outputs", "inputs", "gamma", "beta", "moving_mean", "moving_variance"):
        found, expected = (replicas[f"{policy}/{key}/{name}"] for key in (shares, ALONE))
        np.testing.assert_allclose(
            found, expected, rtol=tolerance, atol=tolerance * abs(expected).max(), err_msg=name
        )


def operations(layer, x, **options):
    function = tf.function(lambda x: layer(x, **options)).get_concrete_function(x)
    return {operation.type for operation in function.graph.get_operations()}


def test_it_is_one_op_where_it_can_be():
    x = tf.constant(images((4, 5, 6, 3))[0])
    fused, stock = pair()
    assert "FusedBatchNormV3" in operations(fused, x, training=True)
    assert "FusedBatchNormV3" not in operations(stock, x, training=True)
    for options in (dict(dtype="float64"), dict(trainable=False)):
        other = BatchNormalization(**options)
        other.build(x.shape)
        x = tf.cast(x, other.dtype)
        assert "FusedBatchNormV3" not in operations(other, x, training=True), options


def test_a_synchronized_one_is_one_op_on_one_replica():
    layer = BatchNormalization(synchronized=True)
    assert "FusedBatchNormV3" in operations(layer, images((4, 5, 6, 3))[0], training=True)


@pytest.mark.parametrize("size", [32, None])
def test_pooled_ones_are_those_that_see_one_value_per_image(size):
    inputs = keras.Input((size, size, 3))
    x = GhostBottleneck(16, 12, strides=2)(inputs)
    x = GGhostStage(12, depth=4, group_width=4)(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    x = keras.layers.BatchNormalization(name="vectors")(x)
    model = keras.Model(inputs, x)
    assert len(list(batch_norms(model))) > 20
    found = [layer.name for layer in pooled_batch_norms(model)]
    assert sorted(found) == ["mix_bn1", "mix_bn2", "vectors"]


def test_they_are_synchronized_within_a_block_alone():
    inputs = keras.Input((4, 4, 3))
    x = BatchNormalization(name="first")(inputs)
    model = keras.Model(inputs, BatchNormalization(name="second", synchronized=True)(x))
    first, second = batch_norms(model)
    with synchronized(model, iter([first])):
        assert (first.synchronized, second.synchronized) == (True, False)
    assert (first.synchronized, second.synchronized) == (False, True)


@pytest.mark.parametrize("options", [dict(dtype="float64"), dict(scale=False), dict(center=False)])
def test_what_is_not_fused_is_keras_own(options):
    fused = BatchNormalization(**options)
    stock = keras.layers.BatchNormalization(**options)
    x = images((4, 5, 6, 3), fused.dtype)[0]
    np.testing.assert_array_equal(fused(x, training=True), stock(x, training=True))
    for a, b in zip(fused.get_weights(), stock.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_frozen_one_stays_as_it_is():
    fused, stock = pair()
    fused.trainable = stock.trainable = False
    before = fused.get_weights()
    x = images((4, 5, 6, 3))[0]
    np.testing.assert_array_equal(fused(x, training=True), stock(x, training=False))
    for a, b in zip(fused.get_weights(), before, strict=True):
        np.testing.assert_array_equal(a, b)


def test_comes_back_from_its_configuration():
    layer = BatchNormalization(axis=1, epsilon=1e-4, momentum=0.8, name="bn")
    again = keras.layers.deserialize(keras.layers.serialize(layer))
    assert type(again) is BatchNormalization
    assert again.get_config() == layer.get_config()
