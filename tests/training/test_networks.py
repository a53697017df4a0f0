"""Files as the networks of runs: ghostified by the command, trained, continued; and refused."""

import keras
import numpy as np
import pytest

from keras_ghostnet import cli, model_file, training
from keras_ghostnet.layers import GhostModule
from keras_ghostnet.training import classifiers, networks, recipes
from tests.training.runs import write_photos

LAYERS = keras.layers
SIZE = 16


def small(*top, inputs=(SIZE, SIZE, 3)):
    """A network of pixels with a top of these layers."""
    x = given = keras.Input(inputs)
    x = LAYERS.Rescaling(1 / 127.5, -1, name="scale")(x)
    for number, filters in enumerate((8, 12, 16)):
        x = LAYERS.Conv2D(filters, 3, strides=2, padding="same", name=f"conv{number}")(x)
        x = LAYERS.ReLU()(LAYERS.BatchNormalization(momentum=0.9)(x))
    x = LAYERS.GlobalAveragePooling2D(name="features")(x)
    for layer in top:
        x = layer(x)
    return keras.Model(given, x, name="small")


def recipe(path, *more):
    settings = [f"model={path}", f"image_size={SIZE}", "dropout_rate=0", *more]
    return recipes.override(recipes.get_recipe("fine_tuning"), settings)


def loaded(tmp_path, model, *more, classes=("a", "b", "c")):
    """The classifier that a run makes of a model's file."""
    path = tmp_path / "network.keras"
    model.save(path)
    network = networks.load_network(recipe(path, *more))
    return network, classifiers.build_from_file(network, recipe(path), classes)


# -------------------------------------------------------------------------------- the whole way


def command(capsys, *words):
    code = cli.main(cli.parse(["ghostnet", *map(str, words)]))
    return code, *capsys.readouterr()


def test_ghostified_trained_and_continued_by_the_command(tmp_path, capsys):
    photos = write_photos(tmp_path / "photos", train=16, val=8)
    file, ghost, run = (tmp_path / name for name in ("small.keras", "ghost.keras", "run"))
    keras.utils.set_random_seed(0)
    small(LAYERS.Dense(2, activation="softmax")).save(file)
    code, output, errors = command(capsys, "ghostify", file, "--out", ghost, "--data", photos)
    assert (code, errors) == (0, "")
    assert [line.split()[0] for line in output.splitlines() if " ghost module " in line] == [
        "conv1", "conv2"
    ]  # fmt: skip
    assert "a warm start" in output
    assert f"--set model={ghost}" in output
    model = model_file.load_model(ghost)
    assert isinstance(model.get_layer("conv1"), GhostModule)

    def train(epochs):
        settings = [f"model={ghost}", f"image_size={SIZE}", "batch_size=8", f"epochs={epochs}"]
        return training.train("fine_tuning", photos, run, settings=settings)

    assert train(1)["last"]["step"] == 4
    assert train(2)["last"]["step"] == 8  # resumed
    trained = model_file.load_model(run / "model.keras")
    assert [layer.name for layer in trained.layers] == [layer.name for layer in model.layers]
    assert training.heads.output_activation(trained) == "linear"
    last = training.evaluate(run / "last.keras", photos)  # which takes pixels, as its file
    assert last.accuracy == pytest.approx(train(2)["last"]["val_accuracy"])


# ---------------------------------------------------------------------------------- classifiers


@pytest.mark.parametrize(
    "top",
    [
        lambda: [LAYERS.Dense(3, activation="softmax")],
        lambda: [LAYERS.Dense(3), LAYERS.Softmax()],
        lambda: [LAYERS.Dense(3), keras.ops.softmax],
        lambda: [LAYERS.Dense(3)],
    ],
)
def test_its_own_classifier_stays(top, tmp_path):
    model = small(*top())
    network, classifier = loaded(tmp_path, model)
    assert network.input == "pixels"
    images = np.random.default_rng(0).uniform(0, 255, (4, SIZE, SIZE, 3))
    logits, expected = classifier(images), model(images)
    if training.heads.output_activation(model) == "softmax":
        logits = keras.ops.softmax(logits)
    np.testing.assert_allclose(logits, expected, atol=1e-5)


@pytest.mark.parametrize("top", [LAYERS.Dense(5), LAYERS.Dense(1, activation="sigmoid")])
def test_another_classifier_for_other_classes(top, tmp_path):
    model = small(top)
    _, classifier = loaded(tmp_path, model)
    assert classifier.output_shape == (None, 3)
    assert classifier.layers[-1].name == "predictions"
    for ours, theirs in zip(classifier.get_weights()[:-2], model.get_weights(), strict=False):
        np.testing.assert_array_equal(ours, theirs)


def test_of_another_size(tmp_path):
    _, classifier = loaded(tmp_path, small(LAYERS.Dense(3), inputs=(24, 24, 3)))
    assert classifier.input_shape == (None, SIZE, SIZE, 3)


@pytest.mark.parametrize(
    ("model", "settings", "message"),
    [
        (lambda: small(), (), r"small needs another classifier for the 3 classes .*features"),
        (lambda: small(LAYERS.Dense(4, activation="sigmoid")), (), r"Training needs classes that"),
        (lambda: small(LAYERS.Dense(3), inputs=(SIZE, SIZE, 1)), (), r"classifier of RGB images"),
        (lambda: small(LAYERS.RepeatVector(2)), (), r"classifier of RGB images"),
        (lambda: small(LAYERS.Dense(3)), ["precision=mixed_bfloat16"], r"is trained in float32"),
    ],
)
def test_what_cannot_be_trained_says_why(model, settings, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        loaded(tmp_path, model(), *settings)


def test_frozen(tmp_path):
    model = small(LAYERS.Dense(3))
    model.trainable = False
    with pytest.raises(ValueError, match=r"Nothing in .* is trainable"):
        loaded(tmp_path, model)


def test_there_is_no_such_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"There is no model .*missing\.keras"):
        networks.load_network(recipe(tmp_path / "missing.keras"))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("runs/photos", r"of a \.keras file.*Of a run's folder, name its model\.keras"),
        ("ghostnet_10", r"Did you mean 'ghostnet_100'"),
    ],
)
def test_neither_a_file_nor_a_network(name, message):
    with pytest.raises(ValueError, match=message):
        networks.load_network(recipe(name))


# ------------------------------------------------------------------------ the command's refusals


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["ghostnet_100", "--out", "x.keras"], "made of ghost modules or stages already"),
        (["missing.keras", "--out", "x.keras"], "There is no model missing.keras"),
        (["missing.keras", "--out", "x.h5"], "--out must name a .keras file"),
    ],
)
def test_the_command_says_what_is_wrong(words, message, capsys):
    code, _, errors = command(capsys, "ghostify", *words)
    assert code == 1
    assert message in errors


@pytest.mark.parametrize(
    ("inputs", "out", "message"),
    [
        ((SIZE, SIZE, 3), "small.keras", "--out would replace the network itself"),
        ((None, None, 3), "ghost.keras", "Say --image-size"),
    ],
)
def test_nothing_is_written_then(inputs, out, message, tmp_path, capsys):
    file, out = tmp_path / "small.keras", tmp_path / out
    small(LAYERS.Dense(2), inputs=inputs).save(file)
    before = file.read_bytes()
    code, _, errors = command(capsys, "ghostify", file, "--out", out)
    assert code == 1
    assert message in errors
    assert file.read_bytes() == before
    assert list(tmp_path.iterdir()) == [file]


def test_what_cannot_be_counted_is_told(tmp_path, capsys):
    x = inputs = keras.Input((SIZE, SIZE, 3))
    for _ in range(2):
        x = LAYERS.Conv2D(8, 3)(x)
    x = LAYERS.GlobalAveragePooling2D()(x)
    keras.Model(inputs, LAYERS.Dot(1)([x, x])).save(tmp_path / "dot.keras")
    words = ("ghostify", tmp_path / "dot.keras", "--out", tmp_path / "ghost.keras")
    code, output, errors = command(capsys, *words)
    assert (code, errors) == (0, "")
    assert "No table: " in output
    assert "layer Dot" in " ".join(output.split())
    assert (tmp_path / "ghost.keras").exists()
