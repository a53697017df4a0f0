"""The training step: formulas compared with NumPy, parts against the whole, and precisions."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_ghostnet import layers
from keras_ghostnet.training import optimization, recipes
from keras_ghostnet.training.logits import logits
from keras_ghostnet.training.loop import Loop

PLAIN = (
    "batch_size=8", "learning_rate=0.1", "schedule=constant", "ema=0", "clip_norm=0", "l2=0",
)  # fmt: skip


def small(classes=4, activation=None, normalized=True):
    """Every kind of layer that a GhostNet has, with or without batch norm."""
    inputs = keras.Input((16, 16, 3))
    if normalized:
        x = layers.GhostBottleneck(16, 12, strides=2, se_ratio=0.25)(inputs)
    else:
        x = keras.layers.Conv2D(12, 3, strides=2, activation="relu")(inputs)
        x = keras.layers.DepthwiseConv2D(3, activation="relu")(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, keras.layers.Dense(classes, activation=activation)(x))


def loop_of(*settings, build=small, teacher=None):
    keras.utils.set_random_seed(0)
    recipe = recipes.override(recipes.get_recipe("smoke"), [*PLAIN, *settings])
    return Loop(recipe, build, 10, tf.distribute.OneDeviceStrategy("/cpu:0"), teacher)


def batch(size=8, classes=4):
    rng = np.random.default_rng(0)
    return {
        "image": tf.constant(rng.standard_normal((size, 16, 16, 3)), "float32"),
        "label": tf.constant(rng.integers(0, classes, size), "int32"),
        "weight": tf.constant([1.0] * (size - 1) + [0.0]),
        "index": tf.range(size, dtype=tf.int64),
    }


def test_batch_in_parts_is_the_whole_batch():
    def build():
        return small(normalized=False)

    whole, parts = loop_of(build=build), loop_of("accumulate=4", "l2=0", build=build)
    for _ in range(3):
        a, b = whole.train_step(batch()), parts.train_step(batch())
        np.testing.assert_allclose(a, b, rtol=1e-5)
    for a, b in zip(whole.model.get_weights(), parts.model.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)
    assert int(parts.optimizer.iterations) == 3


def test_batch_norm_sees_the_parts():
    whole, parts = loop_of(), loop_of("accumulate=2")
    results = [float(loop.train_step(batch())[0]) for loop in (whole, parts)]
    assert abs(results[0] - results[1]) > 1e-4


@pytest.mark.parametrize("activation", [None, "softmax"])
@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_distillation(activation, temperature):
    """The loss of one step, by NumPy."""
    teacher = small(activation=activation)
    settings = ("distillation=0.7", f"temperature={temperature}", "label_smoothing=0")
    loop = loop_of(*settings, teacher=lambda: teacher)
    data, kept = batch(), teacher.get_weights()
    ours = loop.model(data["image"], training=True).numpy().astype("float64")
    theirs = logits(teacher, data["image"]).numpy().astype("float64")

    def log_softmax(x):
        return x - np.log(np.exp(x).sum(-1, keepdims=True))

    hard = -log_softmax(ours)[np.arange(8), data["label"]]
    p, q = (log_softmax(x / temperature) for x in (theirs, ours))
    soft = (np.exp(p) * (p - q)).sum(-1) * temperature**2
    expected = (0.3 * hard + 0.7 * soft)[:7].mean()  # the last one has no weight
    np.testing.assert_allclose(loop.train_step(data)[0], expected, rtol=1e-4)
    for before, after in zip(kept, teacher.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)
    assert not any("average" in name for name in loop.state())


def test_student_comes_to_its_teacher():
    teacher = small(normalized=False)
    loop = loop_of(
        "distillation=1", "learning_rate=0.5", "momentum=0",
        build=lambda: small(normalized=False), teacher=lambda: teacher,
    )  # fmt: skip
    distances = [float(loop.train_step(batch())[0]) for _ in range(30)]
    assert distances[-1] < distances[0] / 10


@pytest.mark.parametrize(
    ("classes", "message"), [(5, r"has outputs of shape \(5,\), .* of \(4,\)")]
)
def test_teacher_of_other_classes(classes, message):
    with pytest.raises(ValueError, match=message):
        loop_of(teacher=lambda: small(classes))


@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_stays_near_float32(precision):
    """Losses near float32's, weights and statistics in float32; clipping and L2 are unscaled."""

    def build():
        keras.config.set_dtype_policy(precision)
        try:
            return small()
        finally:
            keras.config.set_dtype_policy("float32")

    settings = ("l2=1e-2", "clip_norm=0.5", "ema=0.5")
    plain, mixed = loop_of(*settings), loop_of(*settings, f"precision={precision}", build=build)
    assert mixed.model.layers[1].compute_dtype == precision.removeprefix("mixed_")
    for _ in range(4):
        a, b = (float(loop.train_step(batch())[0]) for loop in (plain, mixed))
        assert abs(a - b) < 0.03
    for a, b in zip(plain.model.get_weights(), mixed.model.get_weights(), strict=True):
        assert b.dtype == "float32"
        np.testing.assert_allclose(a, b, atol=0.02)
    mixed.restore(mixed.state())


def test_float16_step_that_overflows_changes_nothing():
    def build():
        keras.config.set_dtype_policy("mixed_float16")
        try:
            return small()
        finally:
            keras.config.set_dtype_policy("float32")

    loop = loop_of("precision=mixed_float16", build=build)
    loop.optimizer.dynamic_scale.assign(3e38)
    before = [weight.numpy() for weight in loop.model.trainable_weights]
    loop.train_step(batch())
    for weight, value in zip(loop.model.trainable_weights, before, strict=True):
        np.testing.assert_array_equal(weight, value)
    assert float(loop.optimizer.dynamic_scale) < 3e38


@pytest.mark.parametrize("precision", ["float32", "mixed_float16"])
def test_state_is_restored_in_the_same_process(precision):
    """Keras numbers optimizers and seeds without names over the whole process."""

    def build():
        inputs = keras.Input((4,), name="images")
        x = keras.layers.Dropout(0.5, name="dropout")(inputs)
        return keras.Model(inputs, keras.layers.Dense(3, name="predictions")(x))

    first, second = (loop_of(f"precision={precision}", build=build) for _ in range(2))
    first.optimizer.iterations.assign(7)
    second.restore(first.state())
    assert int(second.optimizer.iterations) == 7


def three_steps(*settings, pixel=0.0):
    """The weight before and after three steps of a linear model; black images give no gradient."""
    recipe = recipes.override(
        recipes.get_recipe("smoke"),
        ["batch_size=2", "learning_rate=0.5", "schedule=constant", "ema=0", "clip_norm=0", "l2=0",
         *settings],
    )  # fmt: skip

    def build():
        inputs = keras.Input((1, 1, 3))
        x = keras.layers.Conv2D(3, 1, use_bias=False, name="conv")(inputs)
        return keras.Model(inputs, keras.layers.Flatten()(x))

    loop = Loop(recipe, build, 10, tf.distribute.get_strategy())
    before = loop.model.get_weights()[0].copy()
    batch = {
        "image": tf.fill((2, 1, 1, 3), pixel),
        "label": tf.constant([0, 1]),
        "weight": tf.ones(2),
    }
    history = [before]
    for _ in range(3):
        loop.train_step(batch)
        history.append(loop.model.get_weights()[0].copy())
    return history, loop


def test_state_of_another_number_of_replicas():
    """Each goes on with the mean of their statistics: what is evaluated stays the same."""
    loop = loop_of()
    loop.train_step(batch())
    one, three = loop.state(), {}
    for name, value in one.items():
        is_local = name.startswith("replicas/")
        three[name] = np.concatenate([value, 3 * value, 5 * value]) if is_local else value
    assert loop.restore(one) == 1
    assert loop.restore(three) == 3
    assert any(name.startswith("replicas/") for name in one)
    for name, value in loop.state().items():
        factor = 3 if name.startswith("replicas/") else 1
        np.testing.assert_allclose(value, factor * one[name], rtol=1e-6, err_msg=name)


def test_l2_is_added_to_the_gradient_before_the_momentum():
    history, _ = three_steps("l2=0.1", "momentum=0.9")
    weight, velocity = history[0].astype("float64"), 0.0
    for value in history[1:]:
        velocity = 0.9 * velocity - 0.5 * 0.1 * weight
        weight = weight + velocity
        np.testing.assert_allclose(value, weight, rtol=1e-5)


def test_decoupled_decay_is_beside_the_momentum():
    history, _ = three_steps("weight_decay=0.1", "momentum=0.9")
    for step, value in enumerate(history):
        np.testing.assert_allclose(value, history[0] * (1 - 0.5 * 0.1) ** step, rtol=1e-5)


def test_clipping_holds_the_global_norm():
    history, _ = three_steps("clip_norm=1e-3", "momentum=0", pixel=1.0)
    for before, after in itertools.pairwise(history):
        np.testing.assert_allclose(np.linalg.norm(after - before), 0.5 * 1e-3, rtol=1e-3)


def test_moving_average():
    history, loop = three_steps("l2=0.1", "ema=0.75")
    average = history[0]
    for value in history[1:]:
        average = 0.75 * average + 0.25 * value
    with loop.evaluated_weights() as model:
        np.testing.assert_allclose(model.get_weights()[0], average, rtol=1e-5)
    np.testing.assert_array_equal(loop.model.get_weights()[0], history[-1])


def test_rmsprop_is_tensorflows():
    """Its own kernel is the reference: epsilon below the root, the means of squares begin at 1."""
    settings = dict(learning_rate=0.5, rho=0.8, momentum=0.7, epsilon=1e-2)
    optimizer = optimization.RMSprop(**settings)
    ours, theirs = (tf.Variable([1.0, -2.0, 0.5]) for _ in range(2))
    squares, velocity = tf.Variable(tf.ones(3)), tf.Variable(tf.zeros(3))
    variable = keras.Variable(ours)
    optimizer.build([variable])
    for seed in range(4):
        gradient = tf.random.stateless_normal([3], (seed, 0)) / (1 + seed)
        optimizer.apply([gradient])
        tf.raw_ops.ResourceApplyRMSProp(
            var=theirs.handle,
            ms=squares.handle,
            mom=velocity.handle,
            lr=0.5,
            rho=0.8,
            momentum=0.7,
            epsilon=1e-2,
            grad=gradient,
        )
        np.testing.assert_allclose(variable.numpy(), theirs.numpy(), rtol=1e-5)


@pytest.mark.parametrize("name", ["adamw", "lamb"])
def test_adaptive_optimizers_are_keras_own(name):
    settings = ("betas=0.6,0.99", "epsilon=1e-3", "weight_decay=0.1")
    history, loop = three_steps(f"optimizer={name}", *settings, pixel=1.0)
    kind = {"adamw": keras.optimizers.AdamW, "lamb": keras.optimizers.Lamb}[name]
    assert type(loop.optimizer) is kind
    options = dict(beta_1=0.6, beta_2=0.99, epsilon=1e-3, weight_decay=0.1)
    assert options.items() <= loop.optimizer.get_config().items()
    assert np.abs(history[-1] - history[0]).max() > 0.1
    loop.restore(loop.state())


def test_adamw_without_decay_leaves_what_has_no_gradient():
    history, _ = three_steps("optimizer=adamw")
    np.testing.assert_array_equal(history[-1], history[0])
