"""The networks of a run, and what their weights are taken from."""

import keras
import numpy as np
import pytest

from keras_ghostnet.export.graph import deploy
from keras_ghostnet.layers.bottleneck import Bottleneck
from keras_ghostnet.training import classifiers, recipes

MODEL = "ghostnet_050"

pytestmark = pytest.mark.usefixtures("short_networks")


def build(classes, weights="none", model=MODEL, *settings):
    settings = [f"model={model}", "image_size=32", f"weights={weights}", *settings]
    return classifiers.build_classifier(
        recipes.override(recipes.get_recipe("smoke"), settings), classes
    )


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Folders of a run from random weights, and of one that was fine-tuned from that one."""
    folder, before = tmp_path_factory.mktemp("runs"), "none"
    for name, classes in (("first", 4), ("second", 3)):
        (folder / name).mkdir()
        model = build(classes, before)
        for weight in model.weights:
            weight.assign(np.random.default_rng(1).normal(size=weight.shape))
        model.save(folder / name / "model.keras")
        before = folder / name
    return folder


@pytest.mark.parametrize("run", ["first", "second", "second/model.keras"])
def test_training_begins_with_another_run_s_backbone(runs, run):
    model = build(5, runs / run)
    trained = keras.models.load_model(
        runs / run if run.endswith(".keras") else runs / run / "model.keras", compile=False
    )
    theirs = {weight.path: weight.numpy() for weight in trained.weights}
    ours = [w for w in model.weights if w.path.split("/")[0] not in ("head", "predictions")]
    assert len(ours) > 150
    for weight in ours:
        np.testing.assert_array_equal(weight.numpy(), theirs[weight.path], err_msg=weight.path)
    assert model.output_shape == (None, 5)


def test_a_run_of_another_network_says_what_to_set(runs):
    with pytest.raises(ValueError, match=r"ghostnet_050.*`--set model=ghostnet_050`"):
        build(5, runs / "first", "ghostnet_100")


def test_a_run_without_an_epoch(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"neither model\.keras, of a training run that"):
        build(5, tmp_path)


def test_drop_path_rises_with_depth_and_is_gone_once_deployed():
    plain, model = (build(4, "none", MODEL, f"drop_path={rate}") for rate in (0, 0.3))
    model.set_weights(plain.get_weights())
    rates = [layer.drop_path for layer in model.layers if isinstance(layer, Bottleneck)]
    assert len(rates) > 1
    np.testing.assert_allclose(rates, np.linspace(0, 0.3, len(rates)))
    assert [weight.path for weight in model.weights] == [weight.path for weight in plain.weights]
    images = np.random.default_rng(0).normal(size=(2, 32, 32, 3)).astype("float32")
    expected = np.asarray(plain(images))
    np.testing.assert_array_equal(model(images), expected)
    deployed = deploy(model)
    np.testing.assert_allclose(deployed(images), expected, atol=1e-4 * expected.std())
    assert not [layer for layer in deployed._flatten_layers() if "drop" in layer.name]


def test_drop_path_needs_bottlenecks():
    inputs = keras.Input((4,))
    model = keras.Model(inputs, keras.layers.Dense(3)(inputs), name="dense")
    with pytest.raises(ValueError, match=r"dense has none: set drop_path=0\."):
        classifiers.with_drop_path(model, 0.1)
