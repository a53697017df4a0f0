"""What holds for every layer: shapes, dtypes, data formats, training and frozen weights."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.keras_state import dtype_policy, image_data_format
from tests.layers import samples
from tests.layers.reference import Weights, images
from tests.layers.samples import BLOCKS, SAMPLES

NORMALIZED = [name for name in BLOCKS if name != "se"]


def batch(dtype="float32"):
    return images(2, *samples.shape()).astype(dtype)


def built(name, **options):
    """A new layer with random weights."""
    layer = samples.make(name, **options)
    layer.build((None, *samples.shape(layer.data_format)))
    Weights(layer)
    return layer


@functools.cache
def _float32_layer(name):
    return samples.make(name, data_format="channels_last", dtype="float32")


def shared(name):
    """A sample that is built once: creating variables is most of what a test of it takes.

    It is trainable and has the same random weights each time, whatever a test made of it.
    """
    layer = _float32_layer(name)
    if not layer.built:
        layer.build((None, *samples.shape()))
    layer.trainable = True
    Weights(layer)
    return layer


@functools.cache
def reference_output(name):
    """What a sample outputs in float32."""
    return np.asarray(shared(name)(batch()))


def statistics(layer):
    """The moving statistics of all batch norms in a layer."""
    norms = samples.norms(layer)
    return [np.array(value) for norm in norms for value in (norm.moving_mean, norm.moving_variance)]


# ----------------------------------------------------------------------------------- shapes


@pytest.mark.parametrize("name", SAMPLES)
def test_output_has_the_shape_that_is_computed(name):
    layer = samples.make(name)
    shapes = [(2, *size, samples.CHANNELS) for size in ((9, 9), (8, 13))]
    computed = [layer.compute_output_shape(shape) for shape in shapes]  # before it is built
    assert [layer(images(*shape).astype("float32")).shape for shape in shapes] == computed
    assert [layer.compute_output_shape(shape) for shape in shapes] == computed


@pytest.mark.parametrize("name", ["grouped", "ghost_cut", "se", "bottleneck_strided", "stage"])
def test_sizes_may_be_unknown(name):
    layer = samples.make(name)
    output = layer(keras.Input((None, None, samples.CHANNELS)))
    channels = layer.compute_output_shape((2, *samples.shape()))[-1]
    assert output.shape == (None, None, None, channels)
    for size in (9, 12):
        x = images(1, size, size, samples.CHANNELS).astype("float32")
        assert layer(x).shape == layer.compute_output_shape(x.shape)


@pytest.mark.parametrize("name", BLOCKS)
def test_unknown_channels_are_refused(name):
    with pytest.raises(ValueError, match=r"channels must be known.*\(None, 9, 9, None\)"):
        samples.make(name)(keras.Input((9, 9, None)))


@pytest.mark.parametrize("name", SAMPLES)
def test_channels_first_has_the_same_weights_and_shapes(name):
    """TensorFlow runs it on accelerators alone: the other backends' tests compare the numbers."""
    last, first = shared(name), samples.make(name, data_format="channels_first")
    first.build((None, *samples.shape("channels_first")))
    assert [weight.shape for weight in first.weights] == [weight.shape for weight in last.weights]
    batch, height, width, channels = last.compute_output_shape((2, *samples.shape()))
    shape = samples.shape("channels_first")
    assert first.compute_output_shape((2, *shape)) == (batch, channels, height, width)
    assert first(keras.Input(shape)).shape == (None, channels, height, width)


@pytest.mark.parametrize("name", SAMPLES)
def test_data_format_is_keras_own_unless_it_is_given(name):
    with image_data_format("channels_first"):
        assert samples.make(name).data_format == "channels_first"
        layer = samples.make(name, data_format="channels_last")
        assert layer(batch()).shape == layer.compute_output_shape(batch().shape)
    formats = {part.data_format for part in samples.parts(layer) if hasattr(part, "data_format")}
    assert formats <= {"channels_last"}


# ----------------------------------------------------------------------------------- dtypes


@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_computes_in_half_and_keeps_float32(name, policy):
    layer = built(name, dtype=policy)
    assert {weight.dtype for weight in layer.weights} == {"float32"}
    output = layer(batch())
    assert keras.backend.standardize_dtype(output.dtype) == policy.removeprefix("mixed_")
    expected = reference_output(name)
    error = np.asarray(keras.ops.cast(output, "float32")) - expected
    assert 0 < error.std() < 0.03 * expected.std()


@pytest.mark.parametrize("name", SAMPLES)
def test_float64_is_more_precise(name):
    layer = built(name, dtype="float64")
    assert {weight.dtype for weight in layer.weights} == {"float64"}
    output = np.asarray(layer(batch("float64")))
    assert output.dtype == "float64"
    assert 0 < abs(output - reference_output(name)).max() < 1e-4 * output.std()


@pytest.mark.parametrize("name", ["grouped", "ghost_cut", "se", "bottleneck_strided", "stage"])
def test_policy_of_the_layer_goes_before_keras_own(name):
    with dtype_policy("mixed_bfloat16"):
        layer = built(name, dtype="float32")
        output = layer(batch())
        inherited = samples.make(name)
    assert keras.backend.standardize_dtype(output.dtype) == "float32"
    assert {part.dtype_policy.name for part in samples.parts(layer)} <= {"float32"}
    assert inherited.dtype_policy.name == "mixed_bfloat16"


# --------------------------------------------------------------------------------- training


@pytest.mark.parametrize("name", NORMALIZED)
def test_training_updates_every_batch_norm_and_inference_none(name):
    layer = shared(name)
    before = statistics(layer)
    inference = layer(batch(), training=False)
    np.testing.assert_array_equal(layer(batch()), inference)  # inference is the default
    for old, new in zip(before, statistics(layer), strict=True):
        np.testing.assert_array_equal(new, old)
    training = layer(batch(), training=True)
    assert not np.allclose(training, inference, atol=1e-3)
    for old, new in zip(before, statistics(layer), strict=True):
        assert not np.allclose(new, old, rtol=1e-4)


def test_training_normalizes_by_the_batch():
    layer = samples.make("ghost", activation=None)
    layer.build((None, *samples.shape()))
    weights = Weights(layer)
    maps = np.asarray(layer(batch(), training=True))
    offset = np.concatenate([weights["primary_bn/beta"], weights["cheap_bn/beta"]])
    scale = np.concatenate([weights["primary_bn/gamma"], weights["cheap_bn/gamma"]])
    np.testing.assert_allclose(maps.mean(axis=(0, 1, 2)), offset, atol=1e-4)
    np.testing.assert_allclose(maps.std(axis=(0, 1, 2)), scale, rtol=1e-3)


@pytest.mark.parametrize("name", ["ghost", "bottleneck_strided", "regnet", "stage"])
def test_a_model_passes_training_on(name):
    inputs = keras.Input(samples.shape())
    layer = shared(name)
    model = keras.Model(inputs, layer(inputs))
    np.testing.assert_array_equal(model(batch(), training=False), layer(batch(), training=False))
    training = model(batch(), training=True)
    np.testing.assert_array_equal(training, layer(batch(), training=True))
    assert not np.allclose(training, model(batch(), training=False), atol=1e-3)


@pytest.mark.parametrize("name", NORMALIZED)
def test_frozen_layer_trains_nothing_and_keeps_its_statistics(name):
    layer = shared(name)
    count = len(layer.weights)
    layer.trainable = False
    before = statistics(layer)
    frozen = layer(batch(), training=True)
    np.testing.assert_array_equal(frozen, layer(batch(), training=False))
    for old, new in zip(before, statistics(layer), strict=True):
        np.testing.assert_array_equal(new, old)
    assert layer.trainable_weights == []
    assert len(layer.non_trainable_weights) == count
    layer.trainable = True
    assert len(layer.trainable_weights) == count - len(before)


@pytest.mark.parametrize("name", ["ghost_cut", "bottleneck_strided", "regnet_strided", "stage"])
def test_layer_that_is_frozen_before_it_is_built_stays_frozen(name):
    layer = built(name, trainable=False)
    before = statistics(layer)
    np.testing.assert_array_equal(layer(batch(), training=True), layer(batch(), training=False))
    for old, new in zip(before, statistics(layer), strict=True):
        np.testing.assert_array_equal(new, old)
    assert layer.trainable_weights == []


@pytest.mark.parametrize("name", SAMPLES)
def test_every_trainable_weight_gets_a_gradient(name):
    layer = shared(name)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(layer(batch(), training=True) ** 3)
    gradients = tape.gradient(loss, [weight.value for weight in layer.trainable_weights])
    for weight, gradient in zip(layer.trainable_weights, gradients, strict=True):
        assert gradient is not None, weight.path
        assert np.isfinite(gradient).all(), weight.path
        assert np.abs(gradient).max() > 0, weight.path
