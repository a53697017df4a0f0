"""Evaluation: the figures of NumPy, for models, runs, files and names; and its picture."""

import json
import pathlib
import shutil
import warnings

import keras
import numpy as np
import PIL.Image
import pytest

from keras_ghostnet import cli
from keras_ghostnet.training import Evaluation, evaluate, pictures
from keras_ghostnet.training.data import ImageSource, Pipeline, digits, open_source, to_arrays
from tests.training.photographs import encode, picture


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return digits.write_digits(tmp_path_factory.mktemp("data") / "digits", images_per_class=35)


def classifier(activation=None, classes=10, size=24):
    keras.utils.set_random_seed(1)
    inputs = keras.Input((size, size, 3))
    x = keras.layers.Conv2D(8, 3, activation="relu")(inputs)
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, keras.layers.Dense(classes, activation=activation)(x))


def expected(model, source, crop):
    pipeline = Pipeline(open_source(source, "val"), image_size=24, training=False, crop=crop)
    images, labels, indices = to_arrays(pipeline)
    assert indices.tolist() == list(range(70))
    outputs = model.predict(images, verbose=0).astype("float64")
    outputs -= np.log(np.exp(outputs).sum(-1, keepdims=True))
    order = np.argsort(-outputs, axis=-1)
    hits = order == labels[:, None]
    return {
        "loss": -outputs[np.arange(70), labels].mean(),
        "accuracy": hits[:, 0].mean(),
        "top5": hits[:, :5].any(-1).mean(),
        "examples": 70,
    }


@pytest.mark.parametrize(("activation", "batch_size"), [(None, 13), ("softmax", 1_000_000)])
def test_figures(source, tmp_path, activation, batch_size):
    logits, path = classifier(), tmp_path / "model.keras"
    classifier(activation).save(path)
    found = evaluate(path, source, batch_size=batch_size, crop=1.0)
    assert found.metrics == pytest.approx(expected(logits, source, 1.0), rel=1e-5)


def test_every_image_of_a_keras_model(source, capfd):
    model = classifier()
    result = evaluate(model, source, batch_size=32)
    assert capfd.readouterr().out == ""
    images, labels, _ = to_arrays(
        Pipeline(open_source(source, "val"), image_size=24, training=False)
    )
    outputs = keras.ops.convert_to_numpy(keras.ops.softmax(model.predict(images, verbose=0)))
    np.testing.assert_array_equal(result.labels, labels)
    np.testing.assert_array_equal(result.predicted, outputs.argmax(-1))
    np.testing.assert_allclose(result.confidence, outputs.max(-1), rtol=1e-5)
    assert result.keys == [open_source(source, "val").key(index) for index in range(70)]
    matrix = result.confusion_matrix()
    assert matrix.sum() == 70
    assert np.trace(matrix) == pytest.approx(70 * result.accuracy)
    assert matrix[labels[0], outputs[0].argmax()] >= 1
    mistakes = result.most_confident_mistakes(9)
    assert len(mistakes) == 9
    assert (result.predicted[mistakes] != labels[mistakes]).all()
    assert result.confidence[mistakes[0]] == max(result.confidence[result.predicted != labels])


def test_what_cannot_be_decoded_is_left_out(source, tmp_path):
    shutil.copytree(source, tmp_path / "digits")
    source = open_source(tmp_path / "digits", "val")
    pathlib.Path(source.key(3)).write_bytes(b"")
    result = evaluate(classifier(), tmp_path / "digits", bad_limit=0.1)
    assert result.indices.tolist() == [index for index in range(70) if index != 3]


@pytest.mark.parametrize("classes", [2, 1000])
def test_picture_of_classes_with_odd_names(tmp_path, classes):
    """Math, scripts that the font lacks, line breaks, and names that no tick label holds."""
    odd = ("$x^2$ and $", "猫と犬", "line\nbreak", "\\alpha", *(f"{n:04}" * 20 for n in range(996)))

    class Reader:
        def read(self, index):
            return encode(picture(30 + index, 300, seed=index)), 0

    rng = np.random.default_rng(0)
    labels, predicted = rng.integers(0, classes, (2, 60))
    result = Evaluation(
        loss=1.0,
        accuracy=float((labels == predicted).mean()),
        top5=1.0,
        source=ImageSource("$photos/val", odd[:classes], Reader()),
        indices=np.arange(60),
        labels=labels,
        predicted=predicted,
        confidence=rng.random(60),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pictures.draw_evaluation(result, tmp_path / "evaluation.png")
    width, height = PIL.Image.open(tmp_path / "evaluation.png").size
    assert 700 < height <= width < 2000
    assert all(len(pictures.shortened(name)) <= 16 for name in odd)


def test_command_takes_crop_and_classes_of_a_run(source, tmp_path, capsys):
    classifier().save(tmp_path / "model.keras")
    config = {"run": {"crop": 0.8, "seed": 0}, "classes": list("0123456789")}
    (tmp_path / "config.json").write_text(json.dumps(config))
    words = ["ghostnet", "evaluate", str(tmp_path), "--data", str(source)]
    words += ["--output", str(tmp_path / "figures.json"), "--picture", str(tmp_path / "all.png")]
    arguments = cli.parse(words)
    assert cli.main(arguments) == 0
    assert PIL.Image.open(tmp_path / "all.png").format == "PNG"
    wanted = expected(classifier(), source, 0.8)
    assert json.loads((tmp_path / "figures.json").read_text()) == pytest.approx(wanted, rel=1e-5)
    assert wanted != pytest.approx(expected(classifier(), source, 1.0), rel=1e-3)
    output, errors = capsys.readouterr()
    assert errors == ""
    found, table = output.split("\n", 1)
    assert found.startswith(f"350 PNG images of 10 classes in {source} (280 train, 70 val)")
    assert len(table.strip().splitlines()) == 3
    for text in ("70", f"{wanted['accuracy']:.2%}", f"{wanted['top5']:.2%}"):
        assert text in output
    config["classes"][3] = "three"
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert cli.main(arguments) == 1
    assert "trained on other classes" in capsys.readouterr().err


def test_a_plain_folder_is_evaluated_whole_but_the_run_s_own(source, tmp_path):
    photos = tmp_path / "photos"
    shutil.copytree(source / "val", photos)
    run_dir = tmp_path / "run"
    run_dir.mkdir()
    classifier().save(run_dir / "model.keras")

    def trained_on(data):
        config = {"run": {"data": str(data), "seed": 0}, "classes": list("0123456789")}
        (run_dir / "config.json").write_text(json.dumps(config))

    trained_on(source)
    assert evaluate(run_dir, photos).examples == 70
    trained_on(photos)
    held_out = evaluate(run_dir, f"{photos}/").examples
    assert held_out == open_source(photos, "val").examples < 70
    assert evaluate(run_dir, photos, split="all").examples == 70


def test_name_takes_imagenet_weights(source, monkeypatch):
    asked = []

    def create(name, weights, input_shape):
        asked.append((name, weights, input_shape))
        return classifier()

    monkeypatch.setattr("keras_ghostnet.registry.create_model", create)
    assert evaluate("ghostnet_050", source).examples == 70
    assert asked == [("ghostnet_050", "imagenet", (224, 224, 3))]


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("nowhere/model.keras", "There is no model nowhere/model.keras"),
        ("ghostnet_05", "Did you mean 'ghostnet_050'"),
        (".", "There is no model model.keras"),
        ("classes.keras", r"output shape \(None, 9\); .* has 10 classes"),
        ("size.keras", "of a fixed size"),
        ("text.keras", "not a Keras model|not.*zip|accessible"),
    ],
)
def test_what_is_refused(source, tmp_path, monkeypatch, model, message):
    monkeypatch.chdir(tmp_path)
    classifier(classes=9).save("classes.keras")
    classifier(size=None).save("size.keras")
    (tmp_path / "text.keras").write_text("no model")
    with pytest.raises((ValueError, OSError), match=message):
        evaluate(model, source)
