"""Training as users do it: images in a folder, `fit`, frozen backbones, files, processes."""

import subprocess
import sys

import keras
import numpy as np
import pytest

import keras_ghostnet
from tests.keras_state import dtype_policy

pytestmark = pytest.mark.usefixtures("short_networks", "plain_graphs")

SIZE = 32
SHAPE = (SIZE, SIZE, 3)
EPOCHS = 20
COLORS = np.eye(3) * 200  # red, green and blue: what distinguishes the classes
BUILDERS = {
    "ghostnet": lambda **kwargs: keras_ghostnet.GhostNet(0.25, **kwargs),
    "g_ghost": keras_ghostnet.GGhostRegNetX002,
}


@pytest.fixture(params=BUILDERS)
def build(request):
    """The constructor of one family, always with the same initial weights."""
    keras.utils.set_random_seed(1)
    return BUILDERS[request.param]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Eight noisy PNG images for each of three colors, a folder a class."""
    root, rng = tmp_path_factory.mktemp("images"), np.random.default_rng(0)
    for name, color in zip(("a", "b", "c"), COLORS, strict=True):
        (root / name).mkdir()
        for number in range(8):
            image = np.clip(color + rng.normal(40, 30, SHAPE), 0, 255)
            keras.utils.save_img(root / name / f"{number}.png", image, scale=False)
    return root


@pytest.fixture(scope="module")
def dataset(folder):
    """The folder as the networks take it, in one batch: small ones make batch norm noisy."""
    images = keras.utils.image_dataset_from_directory(
        folder, image_size=(SIZE, SIZE), batch_size=24, seed=1, verbose=False
    )
    return images.map(lambda x, y: (keras_ghostnet.preprocess_input(x), y)).cache()


def pictures(seed=0):
    return np.random.default_rng(seed).normal(size=(4, *SHAPE)).astype("float32")


def compiled(model, learning_rate=0.01, **options):
    """A model ready for `fit`; without XLA, which compiles for minutes on a CPU."""
    model.compile(
        keras.optimizers.SGD(learning_rate, momentum=0.9),
        "sparse_categorical_crossentropy",
        jit_compile=False,
        **options,
    )
    model.optimizer.build(model.trainable_variables)  # or `fit` traces its step twice
    return model


@pytest.fixture(scope="module", params=BUILDERS)
def trained(request, dataset):
    """A model that was trained on the folder, its weights before, and its losses."""
    keras.utils.set_random_seed(1)
    model = compiled(BUILDERS[request.param](input_shape=SHAPE, classes=3, dropout_rate=0.0))
    before = model.get_weights()
    losses = model.fit(dataset, epochs=EPOCHS, verbose=0, shuffle=False).history["loss"]
    return model, before, losses


def test_training_reduces_the_loss(trained):
    _, _, losses = trained
    assert losses[0] > 0.5
    assert losses[-1] < 0.5 * losses[0]


def test_training_moves_weights_and_statistics_of_every_layer(trained):
    model, before, _ = trained
    pairs = zip(model.weights, before, strict=True)
    assert [weight.path for weight, old in pairs if np.array_equal(weight, old)] == []


def test_trained_model_survives_saving_with_its_optimizer(trained, tmp_path):
    model, _, _ = trained
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(pictures()), model(pictures()))
    assert int(loaded.optimizer.iterations) == EPOCHS
    momenta = [np.array(value) for value in model.optimizer.variables]
    for expected, actual in zip(momenta, loaded.optimizer.variables, strict=True):
        np.testing.assert_array_equal(actual, expected)


# A step or two without tracing is faster than tracing: hence `run_eagerly`.


def test_frozen_backbone_stays_as_it_was_while_the_classifier_learns(build, dataset):
    backbone = build(include_top=False, pooling="avg", input_shape=SHAPE)
    backbone.trainable = False
    inputs = keras.Input(SHAPE)
    features = keras.layers.BatchNormalization()(backbone(inputs, training=False))
    outputs = keras.layers.Dense(3, activation="softmax")(features)
    model = compiled(keras.Model(inputs, outputs), learning_rate=0.1, run_eagerly=True)
    before = backbone.get_weights()
    losses = model.fit(dataset, epochs=8, verbose=0, shuffle=False).history["loss"]
    for old, new in zip(before, backbone.get_weights(), strict=True):
        np.testing.assert_array_equal(new, old)
    assert losses[-1] < 0.5 * losses[0]


def test_frozen_layers_keep_weights_and_statistics_while_others_learn(build, dataset):
    model = build(input_shape=SHAPE, classes=3)
    for layer in model.layers:
        layer.trainable = not layer.name.startswith(("stem", "stage"))
    before = {weight.path: np.asarray(weight).copy() for weight in model.weights}
    compiled(model, run_eagerly=True).fit(dataset, epochs=1, verbose=0, shuffle=False)
    changed = {
        weight.path.split("/")[0]
        for weight in model.weights
        if not np.array_equal(weight, before[weight.path])
    }
    assert "predictions" in changed
    assert not any(name.startswith(("stem", "stage")) for name in changed)


def test_frozen_batch_norms_keep_everything_while_the_rest_learns(build, dataset):
    """Inside blocks inside a nested model; the images' own statistics would change the results."""
    inputs = keras.Input(SHAPE)
    features = build(include_top=False, pooling="avg", input_shape=SHAPE)(inputs)
    model = keras.Model(inputs, keras.layers.Dense(3, activation="softmax")(features))
    norms = {w.path.rpartition("/")[0] for w in model.weights if w.name == "moving_mean"}
    assert keras_ghostnet.freeze_batch_norm(model) == len(norms)
    frozen = {w.path for w in model.weights if w.path.rpartition("/")[0] in norms}
    assert len(frozen) == 4 * len(norms)
    assert {w.path for w in model.trainable_weights} == {w.path for w in model.weights} - frozen

    before = {w.path: w.numpy() for w in model.weights}
    compiled(model).fit(dataset, epochs=1, verbose=0)
    for weight in model.weights:
        if weight.path in frozen:
            np.testing.assert_array_equal(weight, before[weight.path], err_msg=weight.path)
    kernel = model.layers[-1].kernel
    assert (kernel.numpy() != before[kernel.path]).any()
    training, inference = (model(pictures(), training=training) for training in (True, False))
    np.testing.assert_allclose(training, inference, rtol=1e-5, atol=1e-6)


def test_mixed_precision_trains_in_bfloat16_with_float32_weights(build, dataset):
    with dtype_policy("mixed_bfloat16"):
        model = build(input_shape=SHAPE, classes=3, dropout_rate=0.0)
    compiled(model, run_eagerly=True)
    losses = []
    while not losses or (losses[-1] > 0.9 * losses[0] and len(losses) < 10):
        losses += model.fit(dataset, epochs=1, verbose=0, shuffle=False).history["loss"]
    assert losses[-1] <= 0.9 * losses[0]
    assert {weight.dtype for weight in model.weights} == {"float32"}
    outputs = {layer.output.dtype for layer in model.layers[1:-1]}
    # The probabilities keep float32's precision.
    assert (outputs, model.output.dtype) == ({"bfloat16"}, "float32")


LOAD = """
import sys
import keras, numpy as np
from keras_ghostnet import layers
pictures = np.load("pictures.npy")
for name in sys.argv[1:]:
    for objects in (None, {kind: getattr(layers, kind) for kind in layers.__all__}):
        model = keras.saving.load_model(f"{name}.keras", custom_objects=objects)
        np.save(f"{name}_{'given' if objects else 'registered'}.npy", model(pictures))
"""


def test_saved_model_is_the_same_in_another_process(tmp_path):
    models = {name: build(input_shape=SHAPE, classes=3) for name, build in BUILDERS.items()}
    np.save(tmp_path / "pictures.npy", pictures())
    for name, model in models.items():
        model.save(tmp_path / f"{name}.keras")
    done = subprocess.run(
        [sys.executable, "-c", LOAD, *models], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    for name, model in models.items():
        for classes in ("registered", "given"):
            actual = np.load(tmp_path / f"{name}_{classes}.npy")
            np.testing.assert_allclose(actual, model(pictures()), rtol=0, atol=1e-6)


def test_clones_and_copied_weights_compute_the_same(build):
    model = build(input_shape=SHAPE, classes=3)
    clone = keras.models.clone_model(model)
    x = pictures()
    assert not np.allclose(clone(x), model(x))  # weights of its own
    clone.set_weights(model.get_weights())
    np.testing.assert_array_equal(clone(x), model(x))
    assert [weight.path for weight in clone.weights] == [weight.path for weight in model.weights]
