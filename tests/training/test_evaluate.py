"""`ghostnet evaluate`: the figures of NumPy, for runs, files and names."""

import json
import pathlib
import subprocess
import sys

import keras
import numpy as np
import pytest

from keras_ghostnet import GhostNet, cli
from keras_ghostnet.training import digits
from keras_ghostnet.training.data import Pipeline, open_source, to_arrays
from keras_ghostnet.training.evaluate import evaluate


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


@pytest.mark.parametrize("activation", [None, "softmax"])
@pytest.mark.parametrize("batch_size", [13, 100])
def test_figures(source, tmp_path, activation, batch_size):
    logits, path = classifier(), tmp_path / "model.keras"
    classifier(activation).save(path)
    found = evaluate(path, source, batch_size=batch_size, crop=1.0)
    assert found == pytest.approx(expected(logits, source, 1.0), rel=1e-5)


def test_command_takes_crop_and_classes_of_a_run(source, tmp_path, capsys):
    classifier().save(tmp_path / "model.keras")
    config = {"run": {"crop": 0.8, "seed": 0}, "classes": list("0123456789")}
    (tmp_path / "config.json").write_text(json.dumps(config))
    words = ["ghostnet", "evaluate", str(tmp_path), "--data", str(source)]
    arguments = cli.parse([*words, "--output", str(tmp_path / "figures.json")])
    assert cli.main(arguments) == 0
    wanted = expected(classifier(), source, 0.8)
    assert json.loads((tmp_path / "figures.json").read_text()) == pytest.approx(wanted, rel=1e-5)
    assert wanted != pytest.approx(expected(classifier(), source, 1.0), rel=1e-3)
    output = capsys.readouterr().out
    for text in ("70", f"{wanted['accuracy']:.2%}", f"{wanted['top5']:.2%}"):
        assert text in output
    config["classes"][3] = "three"
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert cli.main(arguments) == 1
    assert "trained on other classes" in capsys.readouterr().err


def test_name_takes_imagenet_weights(source, monkeypatch):
    asked = []

    def create(name, weights):
        asked.append((name, weights))
        return GhostNet(0.5, classes=10, input_shape=(32, 32, 3))

    monkeypatch.setattr("keras_ghostnet.model_reference.create_model", create)
    assert evaluate("ghostnet_050", source)["examples"] == 70
    assert asked == [("ghostnet_050", "imagenet")]


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("nowhere/model.keras", "There is no model nowhere/model.keras"),
        ("ghostnet_05", "Did you mean 'ghostnet_050'"),
        (".", "There is no model model.keras"),
        ("classes.keras", r"has\s10 classes"),
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


def test_nothing_but_the_table_is_printed(source, tmp_path):
    classifier().save(tmp_path / "model.keras")
    ghostnet = pathlib.Path(sys.executable).with_name("ghostnet")
    done = subprocess.run(
        [ghostnet, "evaluate", str(tmp_path / "model.keras"), "--data", str(source)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert len(done.stdout.strip().splitlines()) == 3
