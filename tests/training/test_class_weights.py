"""Class weights: by count or given, and the loss that they make."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_ghostnet.training import classifiers, recipes, train
from keras_ghostnet.training.data import open_source
from keras_ghostnet.training.data.records import make_records
from keras_ghostnet.training.data.sources import ImageSource
from keras_ghostnet.training.loop import Loop
from keras_ghostnet.training.recipes.class_weights import count_classes, weights_of_classes
from tests.training.runs import small_classifier, write_photos
from tests.training.test_loop import PLAIN, batch, small

NAMES = ("ant", "bee", "c=3")
GIVEN = (0.5, 2.0, 1.0, 4.0)


class Labels:
    """A reader of nothing but labels."""

    def __init__(self, labels):
        self.labels = np.array(labels, np.int32)

    def __len__(self):
        return len(self.labels)


def source(labels=(0, 0, 0, 0, 0, 0, 1, 1, 2), names=NAMES):
    return ImageSource("photos/train", names, Labels(labels))


def settings(*more):
    return recipes.override(recipes.get_recipe("smoke"), more).class_weights


@pytest.mark.parametrize(
    ("text", "kept", "weights"),
    [
        ("none", None, None),
        ("balanced", "balanced", [9 / (3 * 6), 9 / (3 * 2), 9 / (3 * 1)]),
        ("1,2.5,3", (1.0, 2.5, 3.0), [1, 2.5, 3]),
        ("bee=2", {"bee": 2.0}, [1, 2, 1]),
        ("c=3=0.5,ant=4", {"c=3": 0.5, "ant": 4.0}, [4, 1, 0.5]),
    ],
)
def test_settings(text, kept, weights):
    setting = settings(f"class_weights={text}")
    assert setting == kept
    found = weights_of_classes(setting, source())
    assert (found is None) == (weights is None)
    if weights:
        np.testing.assert_allclose(found, weights, rtol=1e-6)


def test_balanced_classes_have_the_same_part_and_the_mean_weight_is_one():
    labels = np.repeat(np.arange(3), (700, 41, 5))
    weights = weights_of_classes("balanced", source(labels))
    parts = np.bincount(labels) * weights
    np.testing.assert_allclose(parts, parts.mean(), rtol=1e-6)
    np.testing.assert_allclose(weights[labels].mean(), 1, rtol=1e-6)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("balance", "takes none, balanced, a number for each class"),
        ("ant=2,bee", "takes none, balanced"),
        ("ant=2,ant=3", "takes none, balanced"),
        ("", "takes none, balanced"),
        ("1,-2,3", r"must be positive numbers\. Found: -2\.0"),
        ("ant=nan,bee=inf,c=0", r"Found: nan, inf, 0\.0"),
        ("1,2", "has 2 numbers; photos/train has 3 classes"),
        ("bees=2", r"has no class 'bees'\. Did you mean 'bee'"),
    ],
)
def test_wrong_settings(text, message):
    with pytest.raises(ValueError, match=message):
        weights_of_classes(settings(f"class_weights={text}"), source())


def test_a_class_without_images_cannot_be_balanced():
    with pytest.raises(ValueError, match="has no image of bee"):
        weights_of_classes("balanced", source([0, 0, 2]))


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Six training images of the first class and two of the second."""
    folder = write_photos(tmp_path_factory.mktemp("photos"), train=6, val=2)
    for number in range(2, 6):
        (folder / "train" / "class01" / f"{number}.png").unlink()
    return folder


def test_images_and_records_are_counted_alike(photos, tmp_path):
    assert count_classes(open_source(photos, "train")).tolist() == [6, 2]
    make_records(photos, tmp_path / "records")
    assert count_classes(open_source(tmp_path / "records", "train")).tolist() == [6, 2]


def test_a_run_says_and_keeps_its_weights(photos, tmp_path, monkeypatch):
    monkeypatch.setattr(classifiers, "build_classifier", small_classifier)
    more = ("image_size=32", "batch_size=4", "class_weights=balanced")
    train("smoke", photos, tmp_path / "run", settings=more)
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert config["run"]["class_weights"] == "balanced"
    np.testing.assert_allclose(config["class_weights"], [8 / 12, 8 / 4], rtol=1e-6)


def loop_of(*more, build, weights):
    recipe = recipes.override(recipes.get_recipe("smoke"), [*PLAIN, "momentum=0", *more])
    strategy = tf.distribute.OneDeviceStrategy("/cpu:0")
    return Loop(recipe, build, 10, strategy, class_weights=weights)


def plain():
    keras.utils.set_random_seed(3)
    return small(normalized=False)


@pytest.mark.parametrize("accumulate", [1, 4])
def test_a_step_is_that_of_keras_fit_with_class_weight(accumulate):
    """Loss and weights after an update, with smoothed labels."""
    data = batch() | {"weight": tf.ones(8)}
    smoothing, settings = 0.1, ("label_smoothing=0.1", f"accumulate={accumulate}")
    loop = loop_of(*settings, build=plain, weights=np.array(GIVEN))
    loss = float(loop.train_step(data)[0])

    model = plain()
    model.compile(
        keras.optimizers.SGD(0.1),
        keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=smoothing),
        jit_compile=False,
    )
    labels = keras.utils.to_categorical(data["label"], 4)
    weights = dict(enumerate(GIVEN))
    history = model.fit(data["image"], labels, batch_size=8, class_weight=weights, verbose=0)
    np.testing.assert_allclose(loss, history.history["loss"][0], rtol=1e-5)
    for ours, theirs in zip(loop.model.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_mixed_images_weigh_as_their_parts():
    """By NumPy; the last image is a bad one, which has no weight."""
    loop = loop_of("label_smoothing=0", build=plain, weights=np.array(GIVEN))
    rng = np.random.default_rng(1)
    parts = rng.dirichlet(np.ones(4), 8).astype("float32")
    data = batch() | {"label": tf.constant(parts)}
    outputs = loop.model(data["image"]).numpy().astype("float64")
    losses = -(parts * (outputs - np.log(np.exp(outputs).sum(-1, keepdims=True)))).sum(-1)
    expected = (losses * (parts @ GIVEN))[:7].mean()
    np.testing.assert_allclose(float(loop.train_step(data)[0]), expected, rtol=1e-5)


def test_without_weights_all_weigh_one():
    losses = [
        float(loop_of(build=plain, weights=weights).train_step(batch())[0])
        for weights in (None, np.ones(4))
    ]
    np.testing.assert_allclose(*losses, rtol=1e-6)
