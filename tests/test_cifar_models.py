"""The networks for CIFAR: the paper's figures, the plain networks, the block, the weights."""

import inspect

import keras
import numpy as np
import pytest

import keras_ghostnet
from keras_ghostnet import GhostResNet56, GhostVGG16
from keras_ghostnet.layers.basic_block import GhostBasicBlock
from tests.keras_state import image_data_format
from tests.plain_networks import resnet56, vgg16

RNG = np.random.default_rng(0)
PICTURES = RNG.normal(size=(2, 32, 32, 3)).astype("float32")

# The paper's section 4.1, all rows: millions of parameters and of multiply-adds.
PUBLISHED = [
    (GhostVGG16, dict(ratio=1), "15", "313"),
    (GhostVGG16, dict(), "7.7", "158"),
    (GhostVGG16, dict(ratio=3), "5.2", "107"),
    (GhostVGG16, dict(ratio=4), "4.0", "80"),
    (GhostVGG16, dict(ratio=5), "3.3", "65"),
    (GhostVGG16, dict(cheap_kernel_size=1), "7.6", "157"),
    (GhostVGG16, dict(cheap_kernel_size=5), "7.7", "160"),
    (GhostVGG16, dict(cheap_kernel_size=7), "7.7", "163"),
    (GhostResNet56, dict(ratio=1), "0.85", "125"),
    (GhostResNet56, dict(), "0.43", "63"),
]


def printed(count, figure):
    """A number of millions with as many decimals as a figure has."""
    return f"{count / 1e6:.{len(figure.partition('.')[2])}f}"


@pytest.mark.parametrize(
    ("build", "options", "parameters", "macs"),
    PUBLISHED,
    ids=lambda value: getattr(value, "__name__", None) or str(value),
)
def test_figures_are_the_papers(build, options, parameters, macs):
    model = build(**options)
    assert printed(keras_ghostnet.count_parameters(model), parameters) == parameters
    # The paper counts convolutions: with the dense layers two rows would be one million more.
    backbone = keras.Model(model.input, model.get_layer("avg_pool").output)
    assert printed(keras_ghostnet.count_macs(backbone), macs) == macs


# ------------------------------------------------------------------------- the plain networks


@pytest.mark.parametrize(
    ("build", "plain", "name"),
    [(GhostVGG16, vgg16, "vgg16"), (GhostResNet56, resnet56, "resnet56")],
)
def test_with_a_ratio_of_1_they_are_the_plain_networks(build, plain, name):
    model, plain = build(ratio=1, classifier_activation=None), plain()
    assert model.name == name
    weights = [
        RNG.uniform(0.5, 1.5, weight.shape) if weight.name in ("gamma", "moving_variance")
        else RNG.normal(size=weight.shape) * np.sqrt(2 / np.prod(weight.shape[:-1]))
        if weight.name == "kernel"
        else RNG.normal(size=weight.shape) * 0.1
        for weight in model.weights
    ]  # fmt: skip
    model.set_weights(weights)
    plain.set_weights(weights)
    expected = np.asarray(plain(PICTURES))
    np.testing.assert_allclose(model(PICTURES), expected, rtol=0, atol=1e-5 * np.std(expected))


def test_half_of_the_maps_come_of_the_other_half():
    for build in (GhostVGG16, GhostResNet56):
        ghost, plain = build(), build(ratio=1)
        kernels = {w.path: w.shape for w in plain.weights if w.path.endswith("conv/kernel")}
        for weight in ghost.weights:
            if weight.path.endswith("primary_conv/kernel"):
                *inner, filters = kernels.pop(weight.path)
                assert tuple(weight.shape) == (*inner, filters // 2)
        # What stays as it is: ResNet's first convolution.
        assert list(kernels) == (["stem_conv/kernel"] if build is GhostResNet56 else [])


# ---------------------------------------------------------------------------------- the block


@pytest.mark.parametrize(("strides", "filters"), [(1, 8), (2, 8), (2, 12), (1, 12), (3, 20)])
def test_shortcut_has_no_parameters(strides, filters):
    block = GhostBasicBlock(filters, strides=strides)
    maps = RNG.normal(size=(2, 9, 11, 8)).astype("float32")
    full = np.asarray(block(maps))
    expected = np.zeros(full.shape, "float32")
    expected[..., :8] = maps[:, ::strides, ::strides]
    assert block.compute_output_shape(maps.shape) == full.shape
    for weight in block.weights:  # the residual is 0 then
        if "ghost2" in weight.path and weight.name == "gamma":
            weight.assign(np.zeros(weight.shape))
    np.testing.assert_array_equal(block(maps), np.maximum(expected, 0))
    assert np.abs(full - np.maximum(expected, 0)).max() > 0.1


def test_block_is_saved_and_loaded(tmp_path):
    inputs = keras.Input((8, 8, 4))
    options = dict(strides=2, ratio=3, cheap_kernel_size=5, activation="silu", name="block")
    model = keras.Model(inputs, GhostBasicBlock(10, **options)(inputs))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    maps = RNG.normal(size=(2, 8, 8, 4)).astype("float32")
    np.testing.assert_array_equal(loaded(maps), model(maps))
    config = loaded.get_layer("block").get_config()
    assert {name: config[name] for name in options} == options


def test_block_takes_no_channels_away():
    with pytest.raises(ValueError, match=r"at least those of the input. Received: filters=4"):
        GhostBasicBlock(4)(np.zeros((1, 8, 8, 6), "float32"))


def test_channels_first():
    with image_data_format("channels_first"):
        for build, shape in ((GhostVGG16, (512, 1, 1)), (GhostResNet56, (64, 8, 8))):
            model = build(include_top=False, input_shape=(3, 32, 32))
            assert model.output_shape == (None, *shape)
            assert build().input_shape == (None, 3, 32, 32)


# ----------------------------------------------------------------------------- the constructors


@pytest.fixture(scope="module", params=[GhostVGG16, GhostResNet56])
def build(request):
    return request.param


def test_arguments_are_those_of_ghostnet(build):
    ours = inspect.signature(build).parameters
    ghostnet = inspect.signature(keras_ghostnet.GhostNet).parameters
    assert [*ours][:2] == ["ratio", "cheap_kernel_size"]
    # There is no `output_stride`: the strides are of poolings, and of shortcuts without kernels.
    assert [*ours][2:] == [name for name in ghostnet if name not in ("width", "output_stride")]
    differing = {name for name in [*ours][2:] if ours[name].default != ghostnet[name].default}
    assert differing == {"classes", "dropout_rate"}


def test_other_sizes_classes_and_channels(build):
    model = build(input_shape=(33, 47, 1), classes=100)
    assert model(np.zeros((1, 33, 47, 1), "float32")).shape == (1, 100)
    assert build(include_top=False).input_shape == (None, None, None, 3)
    backbone = build(include_top=False, pooling="avg", input_tensor=keras.Input((40, 40, 3)))
    assert backbone.output_shape == (None, 512 if build is GhostVGG16 else 64)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(input_shape=(31, 32, 3)), "at least 32 x 32"),
        (dict(classes=0), "`classes` must be a positive integer"),
        (dict(ratio=0), "`ratio` must be a positive integer"),
        (dict(cheap_kernel_size=2), "odd `cheap_kernel_size`"),
        (dict(weights="imagenet"), "neither a file nor weights of .* no registered weights"),
        (dict(weights=5), "`weights` must be None, .* or the path of a file. Received: 5"),
    ],
    ids=str,
)
def test_wrong_arguments_are_refused_by_name(build, options, message):
    with pytest.raises(ValueError, match=message):
        build(**options)


# -------------------------------------------------------------------------------------- weights


@pytest.mark.filterwarnings("error::UserWarning")
@pytest.mark.parametrize(
    ("build", "suffix"), [(GhostVGG16, ".keras"), (GhostResNet56, ".weights.h5")]
)
def test_weights_are_those_that_were_saved(build, suffix, tmp_path):
    path = tmp_path / f"saved{suffix}"
    model = build(classes=4)
    (model.save if suffix == ".keras" else model.save_weights)(path)
    expected = np.asarray(model(PICTURES))
    np.testing.assert_array_equal(build(classes=4, weights=path)(PICTURES), expected)
    if suffix == ".keras":
        np.testing.assert_array_equal(keras.models.load_model(path)(PICTURES), expected)
    inner = keras.Model(model.input, model.get_layer("avg_pool").output)
    backbone = build(include_top=False, pooling="avg", input_shape=(32, 32, 3), weights=path)
    np.testing.assert_array_equal(backbone(PICTURES), inner(PICTURES))


@pytest.mark.filterwarnings("error::UserWarning")
def test_weights_of_another_network_are_refused(tmp_path):
    path = tmp_path / "saved.weights.h5"
    GhostVGG16(classes=4).save_weights(path)
    ours = r"saved\.weights\.h5 are of ghost_vgg16 \(ratio 2, cheap kernel 3\) \(Keras 3\), but "
    for options, model in (
        (dict(ratio=3), r"ghost_vgg16 \(ratio 3, cheap kernel 3\)"),
        (dict(cheap_kernel_size=5), r"ghost_vgg16 \(ratio 2, cheap kernel 5\)"),
        (dict(ratio=1), "vgg16"),
    ):
        with pytest.raises(ValueError, match=rf"{ours}the model is {model}\. .*GhostVGG16\(2, 3,"):
            GhostVGG16(**{"classes": 4, "weights": path, **options})
    with pytest.raises(ValueError, match=rf"{ours}the model is ghost_resnet56"):
        GhostResNet56(classes=4, weights=path)
    with pytest.raises(ValueError, match=r"are for 4 classes, but the model has classes=5"):
        GhostVGG16(classes=5, weights=path)
    GhostVGG16(include_top=False).save_weights(path)
    with pytest.raises(ValueError, match=r"saved\.weights\.h5 have no classifier"):
        GhostVGG16(weights=path)


def test_any_ratio_is_recognized_and_converted(tmp_path):
    for model in (GhostVGG16(4, 5, classes=3), GhostResNet56(1, 3, include_top=False)):
        model.save_weights(tmp_path / "saved.weights.h5")
        converted, assignments = keras_ghostnet.convert_weights(
            tmp_path / "saved.weights.h5", tmp_path / "whole.keras"
        )
        assert converted.name == model.name
        assert len(assignments) == len(model.weights)
        np.testing.assert_array_equal(converted(PICTURES), model(PICTURES))


def test_backbone_of_a_fine_tuned_vgg(tmp_path):
    backbone = GhostVGG16(include_top=False, pooling="avg")
    keras.Model(backbone.input, keras.layers.Dense(7)(backbone.output)).save(tmp_path / "ft.keras")
    loaded = GhostVGG16(include_top=False, pooling="avg", weights=tmp_path / "ft.keras")
    np.testing.assert_array_equal(loaded(PICTURES), backbone(PICTURES))
    with pytest.raises(ValueError, match=r"classifier in .* is not that of ghost_vgg16"):
        GhostVGG16(classes=7, weights=tmp_path / "ft.keras")


def test_weights_of_a_network_of_imagenet(tmp_path):
    keras_ghostnet.GhostNet(0.25, classes=4).save_weights(tmp_path / "saved.weights.h5")
    with pytest.raises(ValueError, match=r"of ghostnet_025 .* but the model is ghost_resnet56"):
        GhostResNet56(classes=4, weights=tmp_path / "saved.weights.h5")


def test_missing_file_of_weights(build, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no file .*none\.keras"):
        build(weights=tmp_path / "none.keras")
