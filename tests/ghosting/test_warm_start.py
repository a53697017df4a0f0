"""The warm start of ghost modules: exact where it can be, and on the handwritten digits."""

import keras
import numpy as np
import pytest
from sklearn.datasets import load_digits

from keras_ghostnet import ghostify
from keras_ghostnet.ghosting import fitting

RNG = np.random.default_rng(0)
LAYERS = keras.layers


# ------------------------------------------- networks whose filters are ghosts of one another


def paired(layer, ratio, shuffled):
    """Makes filters multiples of one another: what a cheap operation of one pixel does."""
    kernel, *others = layer.get_weights()
    intrinsic = -(-layer.filters // ratio)
    ghosts = np.repeat(np.arange(intrinsic), ratio - 1)[: layer.filters - intrinsic]
    sources = np.concatenate([np.arange(intrinsic), ghosts])
    kernel = kernel[..., sources] * RNG.uniform(0.5, 2, layer.filters)
    order = RNG.permutation(layer.filters) if shuffled else slice(None)
    layer.set_weights([kernel[..., order], *others])


def unit(x, filters, name, **options):
    x = LAYERS.Conv2D(filters, 3, padding="same", use_bias=False, name=name, **options)(x)
    x = LAYERS.BatchNormalization(momentum=0.9, name=f"{name}_bn")(x)
    return LAYERS.ReLU(name=f"{name}_relu")(x)


def chain(x):
    """Convolutions, and everything that channels in another order may pass to what reads them."""
    x = unit(unit(x, 12, "conv1"), 13, "conv2", strides=2)
    x = LAYERS.DepthwiseConv2D(3, name="depthwise")(LAYERS.MaxPooling2D(2)(x))
    x = LAYERS.BatchNormalization(name="bn")(x)
    x = LAYERS.Conv2D(10, 1, name="conv3", activation="relu")(LAYERS.Dropout(0.5)(x))
    x = LAYERS.Flatten()(LAYERS.ZeroPadding2D(1)(x))
    return LAYERS.Dense(3, name="dense")(x)


def residual(x):
    """Maps that are added, concatenated and put out, whose channels have to stay in order."""
    y = unit(x, 8, "conv1")
    x = LAYERS.Add()([LAYERS.Concatenate()([x, x]), y])
    return unit(x, 6, "conv2")


def nested(x):
    inner = keras.Input(x.shape[1:])
    return LAYERS.Dense(3)(keras.Model(inner, unit(inner, 8, "conv1"), name="inner")(x))


@pytest.mark.parametrize("ratio", [2, 3])
@pytest.mark.parametrize(("make", "shuffled"), [(chain, True), (residual, False), (nested, False)])
def test_ghosts_of_one_another_are_found_exactly(make, shuffled, ratio):
    inputs = keras.Input((14, 14, 4))
    model = keras.Model(inputs, make(LAYERS.Conv2D(4, 1, name="first")(inputs)))
    assert_exact(model, ratio, shuffled)


def assert_exact(model, ratio, shuffled):
    for weight in model.weights:
        # Batch norms of 0 mean and offset, so that ReLU leaves multiples what they are.
        if weight.name in ("gamma", "moving_variance"):
            weight.assign(np.full(weight.shape, RNG.uniform(0.5, 1.5)))
        elif weight.name == "kernel":
            weight.assign(RNG.normal(size=weight.shape) * np.prod(weight.shape[:-1]) ** -0.5)
    for layer in model._flatten_layers():
        if type(layer) is LAYERS.Conv2D and layer.name.startswith("conv"):
            paired(layer, ratio, shuffled)
    images = RNG.normal(size=(40, *model.input_shape[1:])).astype("float32")
    names = [path for path in ("conv1", "conv2", "conv3", "inner/conv1") if has(model, path)]
    ghost = ghostify(model, ratio, 1, select=names, calibration=images)
    expected = keras.ops.convert_to_numpy(model(images))
    error = np.abs(keras.ops.convert_to_numpy(ghost(images)) - expected).max()
    assert error < 1e-3 * expected.std()


def has(model, path):
    first, _, rest = path.partition("/")
    found = [layer for layer in model.layers if layer.name == first]
    return bool(found) and (not rest or has(found[0], rest))


def test_channels_first():
    options = dict(padding="same", data_format="channels_first")
    x = inputs = keras.Input((4, 9, 9))
    x = LAYERS.Conv2D(4, 1, name="first", **options)(x)
    x = LAYERS.Conv2D(8, 3, name="conv1", activation="relu", **options)(x)
    x = LAYERS.Conv2D(9, 3, name="conv2", activation="relu", **options)(x)
    x = LAYERS.Dense(3)(LAYERS.GlobalAveragePooling2D(data_format="channels_first")(x))
    assert_exact(keras.Model(inputs, x), 2, True)


# ------------------------------------------------------------------------------- the arithmetic


@pytest.mark.parametrize(("strides", "dilation"), [(1, 1), (2, 1), (3, 1), (1, 2)])
@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_patches_are_what_a_convolution_sees(size, padding, strides, dilation):
    maps = RNG.normal(size=(2, 12, 11, 3)).astype("float32")
    kernel = RNG.normal(size=(size, size, 3, 4)).astype("float32")
    expected = keras.ops.convert_to_numpy(
        keras.ops.conv(maps, kernel, strides, padding, dilation_rate=dilation)
    )
    places = np.unravel_index(np.arange(expected[..., 0].size), expected.shape[:3])
    seen = fitting.patches(
        maps, places, size, strides=strides, padding=padding, dilation_rate=dilation
    )
    np.testing.assert_allclose(seen @ kernel.reshape(-1, 4), expected.reshape(-1, 4), atol=1e-4)


@pytest.mark.parametrize("places", [10, 40])  # fewer and more than inputs
def test_the_refit_is_ridge_regression(places):
    seen, wanted = RNG.normal(size=(places, 20)), RNG.normal(size=(places, 3))
    kernel = RNG.normal(size=(20, 3))
    found = fitting.refit(seen, wanted, kernel)
    held = fitting.RIDGE * np.square(seen - seen.mean(axis=0)).mean()

    def loss(kernel_now):
        missing = wanted - seen @ kernel_now
        missing = missing - missing.mean(axis=0)
        return np.square(missing).sum() / places + held * np.square(kernel_now - kernel).sum()

    for _ in range(20):
        assert loss(found + RNG.normal(size=found.shape) * 1e-2) > loss(found)


@pytest.mark.parametrize(("filters", "ratio"), [(7, 2), (8, 2), (11, 3), (11, 4), (13, 5), (5, 5)])
def test_every_filter_has_its_place(filters, ratio):
    intrinsic = -(-filters // ratio)
    ghosts = fitting.assign(RNG.normal(size=(filters, filters)), intrinsic, ratio)
    assert len(ghosts) == intrinsic
    assert sorted([*ghosts, *(each for others in ghosts.values() for each in others)]) == list(
        range(filters)
    )
    *others, last = map(len, ghosts.values())
    assert set(others) <= {ratio - 1}
    assert last <= ratio - 1


# ----------------------------------------------------------------------------------- the digits


def classifier():
    x = inputs = keras.Input((8, 8, 1))
    for number, filters in enumerate((16, 32, 64), start=1):
        x = unit(x, filters, f"conv{number}")
        x = LAYERS.MaxPooling2D(2)(x) if number < 3 else x
    return keras.Model(inputs, LAYERS.Dense(10)(LAYERS.GlobalAveragePooling2D()(x)))


def fit(model, split, epochs, optimizer):
    keras.utils.set_random_seed(0)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer, loss, jit_compile=False)
    model.optimizer.build(model.trainable_variables)  # or `fit` traces its step twice
    model.fit(*split, batch_size=32, epochs=epochs, verbose=0)


def accuracy(model, split):
    images, labels = split
    predicted = keras.ops.convert_to_numpy(model(images)).argmax(axis=-1)
    return (predicted == labels).mean()


@pytest.fixture(scope="module")
def digits():
    """Training and held-out digits of scikit-learn, and a network that knows them."""
    data = load_digits()
    images = (data.images[..., None] / 8 - 1).astype("float32")
    order = np.random.default_rng(0).permutation(len(images))
    train, held_out = ((images[part], data.target[part]) for part in (order[:1400], order[1400:]))
    keras.utils.set_random_seed(0)
    model = classifier()
    fit(model, train, 6, keras.optimizers.Adam(3e-3))
    return train, held_out, model


def test_little_is_lost_without_training_and_more_is_gained_by_it(digits):
    train, held_out, model = digits
    before = accuracy(model, held_out)
    assert before >= 0.97
    keras.utils.set_random_seed(0)
    cold = ghostify(model)
    warm = ghostify(model, calibration=train[0][:256])
    assert accuracy(cold, held_out) < 0.25
    assert accuracy(warm, held_out) >= before - 0.05
    for ghost in (cold, warm):
        fit(ghost, train, 2, keras.optimizers.SGD(0.01, momentum=0.9, nesterov=True))
    after = [accuracy(ghost, held_out) for ghost in (cold, warm)]
    assert after[1] >= after[0] + 0.015
    assert after[1] >= before - 0.01
