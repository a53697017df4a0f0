"""The constructors' contract, in the manner of `keras.applications`: GhostNet, G-GhostNet."""

import inspect

import keras
import numpy as np
import pytest

import keras_ghostnet
from keras_ghostnet import specs

pytestmark = pytest.mark.usefixtures("short_networks")

TINY = dict(input_shape=(32, 32, 3))


def ghostnet(**kwargs):
    return keras_ghostnet.GhostNet(0.25, **kwargs)


FAMILIES = {"ghostnet": (ghostnet, 240), "g_ghost": (keras_ghostnet.GGhostRegNetX002, 368)}


def images(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


PICTURES = images(2, 32, 32, 3)


def assert_close(actual, expected):
    """Equal up to float32's rounding, which is that of the largest outputs for all of them."""
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-4 * np.std(expected))


@pytest.fixture(scope="module", params=FAMILIES)
def build(request):
    """The constructor of one family, a small network."""
    keras.utils.set_random_seed(0)
    return FAMILIES[request.param][0]


@pytest.fixture(scope="module")
def features(build):
    """Channels of its last feature maps."""
    return dict(FAMILIES.values())[build]


@pytest.fixture(scope="module")
def tiny(build):
    """A model to compare others with: five classes, logits of about 1 for `PICTURES`."""
    model = build(classes=5, classifier_activation=None, **TINY)
    kernel, bias = model.get_layer("predictions").get_weights()
    model.get_layer("predictions").set_weights([kernel / np.std(model(PICTURES)), bias])
    return model


@pytest.fixture(scope="module")
def backbone(build):
    """A model without classifier, for images of any size."""
    return build(include_top=False)


# ---------------------------------------------------------------------- names and signatures


def test_width_is_the_only_positional_argument():
    parameters = inspect.signature(keras_ghostnet.GhostNet).parameters
    positional = [p.name for p in parameters.values() if p.kind is p.POSITIONAL_OR_KEYWORD]
    assert positional == ["width"]
    with pytest.raises(TypeError):
        keras_ghostnet.GGhostRegNetX002(True)


def test_both_families_have_the_same_arguments():
    ghostnet = list(inspect.signature(keras_ghostnet.GhostNet).parameters.values())[1:]
    for name in keras_ghostnet.__all__:
        if name.startswith("GGhostRegNetX"):
            constructor = getattr(keras_ghostnet, name)
            assert list(inspect.signature(constructor).parameters.values()) == ghostnet
            assert constructor.__name__ == name


def test_arguments_and_defaults_are_those_of_keras_applications():
    ours = inspect.signature(keras_ghostnet.GhostNet).parameters
    theirs = inspect.signature(keras.applications.MobileNetV3Small).parameters
    for name in set(ours) & set(theirs) - {"weights", "name"}:
        assert ours[name].default == theirs[name].default, name
    assert set(ours) - set(theirs) == {"width", "output_stride"}
    assert ours["weights"].default is None  # not "imagenet": nothing is downloaded unasked


def test_docstrings_are_complete():
    for name in ("GhostNet", "GGhostRegNetX032", "GhostVGG16", "GhostResNet56"):
        constructor = getattr(keras_ghostnet, name)
        text = constructor.__doc__
        assert "{" not in text
        for argument in inspect.signature(constructor).parameters:
            assert f"    {argument}: " in text
        for section in ("Args:", "Call arguments:", "Returns:", "Raises:"):
            assert f"\n{section}\n" in text


def test_models_are_listed_smallest_first_and_created_by_name():
    names = keras_ghostnet.list_models()
    assert names == list(specs.SPECS)
    for family in ("ghostnet_", "g_ghost_regnetx_"):
        sizes = [name for name in names if name.startswith(family)]
        assert sizes == sorted(sizes)
        assert len(sizes) >= 3
    names.clear()
    assert keras_ghostnet.list_models() == list(specs.SPECS)
    model = keras_ghostnet.create_model("ghostnet_050", include_top=False, pooling="avg")
    assert (model.name, model.output_shape) == ("ghostnet_050", (None, 480))


def test_unknown_model_suggests_the_nearest():
    with pytest.raises(ValueError, match=r"'ghostnet_10'\. Did you mean 'ghostnet_100'"):
        keras_ghostnet.create_model("ghostnet_10")


def test_name_is_the_registrys_or_ones_own(build, tiny):
    assert tiny.name in ("ghostnet_025", "g_ghost_regnetx_002")
    assert build(name="mine", **TINY).name == "mine"


# ---------------------------------------------------------------------------------- outputs


def test_top_is_for_224_pixels_and_1000_classes_by_default(build):
    model = build()
    assert model.input_shape == (None, 224, 224, 3)
    assert model.output_shape == (None, 1000)


def test_without_top_any_size_is_taken_by_default(backbone, features):
    assert backbone.input_shape == (None, None, None, 3)
    assert backbone.output_shape == (None, None, None, features)
    names = {layer.name for layer in backbone.layers}
    assert {"head", "predictions", "avg_pool"}.isdisjoint(names)


@pytest.mark.parametrize(("pooling", "function"), [("avg", np.mean), ("max", np.max)])
def test_pooling_is_over_all_places(build, backbone, features, pooling, function):
    model = build(include_top=False, pooling=pooling)
    assert model.output_shape == (None, features)
    model.set_weights(backbone.get_weights())
    x = images(2, 64, 96, 3)
    assert_close(model(x), function(backbone(x), axis=(1, 2)))


def test_classes_are_as_many_as_asked_for(tiny):
    assert tiny.output_shape == (None, 5)
    assert tiny(PICTURES).shape == (2, 5)


def test_classes_do_not_matter_without_top(build):
    assert build(include_top=False, classes=None, **TINY).output_shape[:3] == (None, 1, 1)


def test_softmax_is_taken_of_the_logits_that_activation_none_puts_out(build, tiny):
    model = build(classes=5, **TINY)
    model.set_weights(tiny.get_weights())
    exponentials = np.exp(np.asarray(tiny(PICTURES), "float64"))
    expected = exponentials / exponentials.sum(axis=1, keepdims=True)
    assert_close(model(PICTURES), expected)


def test_activation_may_be_a_function(build, tiny):
    model = build(classes=5, classifier_activation=keras.ops.tanh, **TINY)
    model.set_weights(tiny.get_weights())
    assert_close(model(PICTURES), np.tanh(tiny(PICTURES)))


def test_dropout_is_in_training_alone(build):
    layer = build(dropout_rate=0.9, classes=4, **TINY).get_layer("dropout")
    ones = np.ones((4, *layer.input.shape[1:]), "float32")
    np.testing.assert_array_equal(layer(ones, training=False), ones)
    dropped = np.asarray(layer(ones, training=True))
    assert 0.8 < (dropped == 0).mean() < 0.97
    np.testing.assert_allclose(dropped[dropped > 0], 10, rtol=1e-5)


# ------------------------------------------------------------------------------ image sizes


def test_size_does_not_change_what_the_weights_mean_without_top(build, backbone):
    fixed = build(include_top=False, input_shape=(33, 47, 3))
    fixed.set_weights(backbone.get_weights())
    x = images(2, 33, 47, 3)
    assert_close(backbone(x), fixed(x))


def test_size_does_not_change_what_the_weights_mean_with_top(build, tiny):
    free = build(input_shape=(None, None, 3), classes=5, classifier_activation=None)
    free.set_weights(tiny.get_weights())
    assert free.input_shape == (None, None, None, 3)
    assert_close(free(PICTURES), tiny(PICTURES))
    assert free(images(1, 33, 47, 3)).shape == (1, 5)


def test_sides_are_halved_five_times_rounding_up(backbone, features):
    sizes = {(32, 32): (1, 1), (33, 47): (2, 2), (65, 32): (3, 1), (64, 96): (2, 3)}
    for size, places in sizes.items():
        assert backbone(images(1, *size, 3)).shape == (1, *places, features)


@pytest.mark.parametrize("channels", [1, 4])
def test_other_numbers_of_channels(build, channels):
    model = build(input_shape=(32, 32, channels), include_top=False)
    assert model.get_layer("stem_conv").kernel.shape[2] == channels
    assert model.input_shape == (None, 32, 32, channels)


# ----------------------------------------------------------------------------- input_tensor


def test_input_tensor_may_be_an_input(build, tiny):
    inputs = keras.Input((32, 32, 3), name="picture")
    model = build(input_tensor=inputs, classes=5, classifier_activation=None)
    assert model.input is inputs
    model.set_weights(tiny.get_weights())
    assert_close(model(PICTURES), tiny(PICTURES))


@pytest.mark.filterwarnings("error")
def test_input_tensor_may_be_within_a_network(build, tiny):
    inputs = keras.Input((32, 32, 3))
    doubled = keras.layers.Rescaling(2.0)(inputs)
    model = build(input_tensor=doubled, classes=5, classifier_activation=None)
    assert model.input is inputs
    model.set_weights(tiny.get_weights())
    # As it is called: a model with a list of one input would warn.
    assert_close(model(PICTURES), tiny(2 * PICTURES))


def test_input_tensor_may_come_of_several_inputs(build):
    left, right = keras.Input((32, 32, 1)), keras.Input((32, 32, 2))
    both = keras.layers.Concatenate()([left, right])
    model = build(input_tensor=both, input_shape=(32, 32, 3), classes=3)
    assert [tensor.shape[-1] for tensor in model.inputs] == [1, 2]
    assert model([images(2, 32, 32, 1), images(2, 32, 32, 2)]).shape == (2, 3)


def test_input_tensor_tells_the_channels_and_the_size(build):
    assert build(input_tensor=keras.Input((40, 48, 4)), classes=3).input_shape == (None, 40, 48, 4)


def test_input_tensor_must_agree_with_the_shape(build):
    with pytest.raises(ValueError, match=r"`input_shape` must agree.*\(32, 32, 3\).*40, 40, 3"):
        build(input_tensor=keras.Input((40, 40, 3)), **TINY)


@pytest.mark.parametrize("tensor", [np.zeros((1, 32, 32, 3)), "picture"], ids=["array", "text"])
def test_input_tensor_must_be_symbolic(build, tensor):
    with pytest.raises(ValueError, match=r"`input_tensor` must be a Keras tensor.*Received: "):
        build(input_tensor=tensor)


# ----------------------------------------------------------------------------------- weights


def test_width_of_many_digits_takes_the_weights_that_it_saved(tmp_path):
    """The file holds channels, not the width: many widths have the same."""
    options = dict(include_top=False, pooling="avg", **TINY)
    model = keras_ghostnet.GhostNet(1 / 7, **options)
    model.save_weights(tmp_path / "model.weights.h5")
    loaded = keras_ghostnet.GhostNet(1 / 7, weights=tmp_path / "model.weights.h5", **options)
    np.testing.assert_array_equal(loaded(PICTURES), model(PICTURES))


# ------------------------------------------------------------------------------------ errors


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(input_shape=(31, 32, 3)), r"at least 32 x 32.*\(31, 32, 3\)"),
        (dict(input_shape=(32, 16, 3)), r"at least 32 x 32.*\(32, 16, 3\)"),
        (dict(input_shape=(None, 8, 3)), r"at least 32 x 32.*\(None, 8, 3\)"),
        (dict(input_tensor=keras.KerasTensor((None, 24, 24, 3))), "at least 32 x 32"),
        (dict(input_shape=(32, 32)), r"three entries.*\(32, 32\)"),
        (dict(input_shape=(1, 32, 32, 3)), r"three entries.*\(1, 32, 32, 3\)"),
        (dict(input_shape=(32, 32, None)), r"number of channels.*\(32, 32, None\)"),
        (dict(input_shape=(32, 32, 0)), r"number of channels.*\(32, 32, 0\)"),
        (dict(pooling="mean"), "`pooling` must be one of.*pooling='mean'"),
        (dict(pooling="mean", include_top=False), "`pooling` must be one of.*pooling='mean'"),
        (
            dict(classes=0),
            "`classes` must be a positive integer, at most 1,000,000. Received: classes=0",
        ),
        (dict(classes=-1), "`classes`.*classes=-1"),
        (dict(classes=2.5), "`classes`.*classes=2.5"),
        (dict(classes=True), "`classes`.*classes=True"),
        (dict(classes="10"), "`classes`.*classes='10'"),
        (dict(classes=10**30), "`classes`.*classes=10"),
        (dict(include_top="False"), "`include_top` must be True or False.*'False'"),
        (dict(include_top=None), "`include_top`.*None"),
        (dict(input_shape=(32, 32, 10**9)), "at most 65,536 pixels.*1000000000"),
        (dict(input_shape=(10**30, 32, 3)), "at most 65,536 pixels.*10000"),
        (dict(dropout_rate=1.0), "`dropout_rate` must be at least 0 and below 1.*1.0"),
        (dict(dropout_rate=-0.1), "`dropout_rate`.*-0.1"),
        (dict(dropout_rate=float("nan")), "`dropout_rate`.*nan"),
        (dict(classifier_activation="sofmax", **TINY), "sofmax"),
    ],
    ids=lambda value: None if isinstance(value, str) else str(value)[:40],
)
def test_wrong_arguments_are_refused_by_name(build, options, message):
    with pytest.raises(ValueError, match=message):
        build(**options)


@pytest.mark.parametrize("width", [0, -0.5, float("nan"), float("inf"), 10**9, "1.0", True, None])
def test_wrong_width_is_refused(width):
    with pytest.raises(ValueError, match=r"`width` must be a positive number.*Received: width="):
        keras_ghostnet.GhostNet(width, **TINY)


def test_numpy_s_numbers_are_numbers():
    shape = tuple(np.array([32, 32, 3]))
    model = keras_ghostnet.GhostNet(np.float32(0.5), input_shape=shape, classes=np.int64(4))
    assert (model.name, model.output_shape) == ("ghostnet_050", (None, 4))


@pytest.mark.parametrize(
    "options", [dict(dropout_rate=None), dict(dropout_rate="a"), dict(input_shape=224)], ids=str
)
def test_values_of_another_type_are_refused_by_name(options):
    (name,) = options
    with pytest.raises(ValueError, match=f"`{name}` must"):
        keras_ghostnet.GhostNet(0.5, **options)
