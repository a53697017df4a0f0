"""The trainer, on a network and data so small that an epoch takes no time."""

import csv
import io
import itertools
import json

import keras
import numpy as np
import pytest
import rich.console
import tensorflow as tf

from keras_ghostnet.layers import GhostModule
from keras_ghostnet.training import evaluation
from keras_ghostnet.training.trainer import train


def data(scale=1.0):
    """Two classes that differ in the sign of the mean."""
    random = np.random.default_rng(0)
    labels = np.arange(64) % 2
    images = random.normal(size=(64, 8, 8, 3)) + np.where(labels, 0.5, -0.5)[:, None, None, None]
    images = (scale * images).astype("float32")
    dataset = tf.data.Dataset.from_tensor_slices((images, np.eye(2, dtype="float32")[labels]))
    return images, labels, dataset.batch(16)


def network(activation=None):
    keras.utils.set_random_seed(0)
    inputs = keras.Input((8, 8, 3))
    x = GhostModule(8, name="ghost")(inputs)
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    outputs = keras.layers.Dense(2, activation=activation, name="predictions")(x)
    return keras.Model(inputs, outputs, name="toy")


def fit(run_dir, model=None, scale=1.0, console=None, **kwargs):
    model = model or network()
    _, _, batches = data(scale)
    console = console or rich.console.Console(file=io.StringIO())
    options = dict(epochs=8, learning_rate=0.5) | kwargs
    result = train(model, batches, batches, run_dir=run_dir, console=console, **options)
    return model, result, console.file.getvalue()


@pytest.mark.parametrize("activation", [None, "softmax"])
def test_it_learns(tmp_path, activation):
    model, result, _ = fit(tmp_path, network(activation))
    images, labels, _ = data()
    assert evaluation.predict(model, images, labels).accuracy == 1
    assert result.history[-1]["loss"] < result.history[0]["loss"]


def test_files(tmp_path):
    model, result, _ = fit(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "metrics.csv",
        "metrics.json",
        "model.keras",
    ]
    rows = list(csv.DictReader((tmp_path / "metrics.csv").open()))
    assert [int(row["epoch"]) for row in rows] == list(range(1, 9))
    assert float(rows[-1]["val_loss"]) == result.history[-1]["val_loss"]
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["history"] == result.history
    images, _, _ = data()
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(
        loaded.predict(images, verbose=0), model.predict(images, verbose=0)
    )


def test_the_learning_rate_rises_and_falls(tmp_path):
    _, result, _ = fit(tmp_path, epochs=10)
    rates = [row["learning_rate"] for row in result.history]
    assert rates[0] == pytest.approx(0.5)  # after the first tenth of the steps
    assert all(earlier > later for earlier, later in itertools.pairwise(rates))
    assert rates[-1] == pytest.approx(0, abs=1e-6)


def test_same_seed_same_history(tmp_path):
    def losses():
        return [row["val_loss"] for row in fit(tmp_path)[1].history]

    assert losses() == losses()


def test_best_and_last_weights(tmp_path):
    # A learning rate that is too high: accuracy comes and goes.
    model, result, _ = fit(tmp_path, keep="best", epochs=5)
    best = max(result.history, key=lambda row: (row["val_accuracy"], -row["val_loss"]))
    assert result.kept_epoch == best["epoch"]
    _, _, batches = data()
    # The loss of evaluation holds the label smoothing too.
    assert model.evaluate(batches, verbose=0)[0] == pytest.approx(best["val_loss"], rel=1e-5)

    model, result, _ = fit(tmp_path, keep="last", epochs=5)
    assert result.kept_epoch == 5
    last = result.history[-1]["val_loss"]
    assert model.evaluate(batches, verbose=0)[0] == pytest.approx(last, rel=1e-5)


def test_a_line_for_every_epoch(tmp_path):
    lines = fit(tmp_path, epochs=3)[2].splitlines()
    assert len(lines) == 3
    assert lines[0].strip().startswith("epoch 1/3  loss")
    assert "held-out accuracy" in lines[0]


def test_a_bar_on_a_terminal(tmp_path):
    console = rich.console.Console(file=io.StringIO(), force_terminal=True, width=120)
    fit(tmp_path, epochs=3, console=console)
    assert "epoch 3/3" in console.file.getvalue()


def test_a_loss_that_is_not_finite_stops_training(tmp_path):
    with pytest.raises(FloatingPointError, match=r"The loss is nan in step 1 of epoch 1"):
        fit(tmp_path, scale=np.nan)
    assert not (tmp_path / "model.keras").exists()


def test_an_earlier_model_survives_a_failure(tmp_path):
    fit(tmp_path, epochs=1)
    before = (tmp_path / "model.keras").read_bytes()
    with pytest.raises(FloatingPointError):
        fit(tmp_path, scale=np.nan)
    assert (tmp_path / "model.keras").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (dict(epochs=0), "`epochs` must be at least 1"),
        (dict(keep="first"), "`keep` must be one of"),
    ],
)
def test_arguments_out_of_range(tmp_path, arguments, message):
    with pytest.raises(ValueError, match=message):
        fit(tmp_path, **arguments)


def test_a_model_without_a_classifier(tmp_path):
    inputs = keras.Input((8, 8, 3))
    pooled = keras.layers.GlobalAveragePooling2D(name="pool")(inputs)
    with pytest.raises(ValueError, match="must end in a layer of logits"):
        fit(tmp_path, keras.Model(inputs, pooled))


def test_confusion_matrix_counts_rows_by_true_class():
    outputs = np.eye(3, dtype="float32")[[0, 1, 1, 2]]
    predictions = evaluation.Predictions(outputs, np.array([0, 1, 2, 2]))
    assert predictions.accuracy == 0.75
    assert evaluation.confusion_matrix(predictions).tolist() == [[1, 0, 0], [0, 1, 0], [0, 1, 1]]


def test_softmax():
    np.testing.assert_allclose(
        evaluation.softmax(np.array([[0.0, np.log(3)], [1000.0, 0.0]])), [[0.25, 0.75], [1, 0]]
    )
