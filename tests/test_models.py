"""Every model that `list_models` names: size, cost, outputs and names."""

import re

import keras
import numpy as np
import pytest

import keras_ghostnet
from keras_ghostnet import specs
from keras_ghostnet.cli.models import COSTS

# The papers' parameters in full; multiply-adds as precisely as they are published, at 224 x 224
# but for the networks for CIFAR.
PARAMETERS = {
    "ghostnet_050": 2_587_292,
    "ghostnet_100": 5_182_508,
    "ghostnet_130": 7_358_820,
    "ghostnetv2_100": 6_156_908,
    "ghostnetv2_130": 8_960_404,
    "ghostnetv2_160": 12_392_698,
    "ghostnetv3_050": 3_395_384,
    "ghostnetv3_100": 8_129_028,
    "ghostnetv3_130": 12_217_720,
    "ghostnetv3_160": 17_275_700,
    "repghostnet_050": 2_313_968,
    "repghostnet_058": 2_546_388,
    "repghostnet_080": 3_278_968,
    "repghostnet_100": 4_073_604,
    "repghostnet_111": 4_539_984,
    "repghostnet_130": 5_478_612,
    "repghostnet_150": 6_575_336,
    "repghostnet_200": 9_796_124,
    "g_ghost_regnetx_002": 1_825_440,
    "g_ghost_regnetx_004": 2_884_456,
    "g_ghost_regnetx_006": 4_029_776,
    "g_ghost_regnetx_008": 5_248_328,
    "g_ghost_regnetx_016": 7_109_660,
    "g_ghost_regnetx_032": 10_511_000,
    "g_ghost_regnetx_040": 15_726_268,
    "g_ghost_regnetx_064": 17_993_748,
    "g_ghost_regnetx_080": 24_586_928,
    "g_ghost_regnetx_120": 30_627_208,
    "g_ghost_regnetx_160": 32_381_704,
    "g_ghost_regnetx_320": 62_815_448,
    "ghost_vgg16": 7_650_986,
    "ghost_resnet56": 430_090,
}
MACS = {
    "ghostnet_050": "42.33 M",
    "ghostnet_100": "141.15 M",
    "ghostnet_130": "227.00 M",
    "ghostnetv2_100": "167.05 M",
    "ghostnetv2_130": "269.32 M",
    "ghostnetv2_160": "398.61 M",
    "ghostnetv3_050": "117.5 M",
    "ghostnetv3_100": "404.1 M",
    "ghostnetv3_130": "654.8 M",
    "ghostnetv3_160": "971.6 M",
    "repghostnet_050": "43.3 M",
    "repghostnet_058": "59.8 M",
    "repghostnet_080": "95.5 M",
    "repghostnet_100": "142.4 M",
    "repghostnet_111": "170.1 M",
    "repghostnet_130": "231.1 M",
    "repghostnet_150": "301.3 M",
    "repghostnet_200": "515.9 M",
    "g_ghost_regnetx_032": "1.80 G",
    "g_ghost_regnetx_040": "2.23 G",
    "g_ghost_regnetx_080": "4.15 G",
    "g_ghost_regnetx_160": "9.00 G",
    "ghost_vgg16": "158 M",
    "ghost_resnet56": "63 M",
}
# GhostNetV3's folded form: parameters, and millions of multiply-adds, which are GhostNetV2's.
DEPLOYED = {
    "ghostnetv3_050": (2_842_240, "49.64"),
    "ghostnetv3_100": (6_125_716, "167.05"),
    "ghostnetv3_130": (8_919_880, "269.32"),
    "ghostnetv3_160": (12_342_762, "398.61"),
}
FEATURES = {
    "ghostnet_050": 480,
    "ghostnet_100": 960,
    "ghostnet_130": 1248,
    "ghostnetv2_100": 960,
    "ghostnetv3_050": 480,
    "repghostnet_058": 556,
    "g_ghost_regnetx_002": 368,
    "g_ghost_regnetx_320": 2520,
    "ghost_vgg16": 512,
    "ghost_resnet56": 64,
}
# Sizes of the feature maps, one after another: by default five strides of 2, of which the first
# has its padding in a layer of its own.
IMAGENET = (224, 226, 112, 56, 28, 14, 7)
SIZES = {"ghost_vgg16": (32, 16, 8, 4, 2, 1), "ghost_resnet56": (32, 16, 8)}
# stage3_block2/ghost1/primary_conv/kernel, stage4/raw5/bn2/beta, stem_conv/kernel, head/bias
VARIABLE = re.compile(
    r"(stem|final)_(conv|bn)/\w+"
    r"|stage\d_block\d/(ghost[12]/(primary|cheap)|(shortcut_)?depthwise|shortcut)_(conv|bn)/\w+"
    r"|stage\d_block\d/ghost1/attention/((horizontal|vertical)_)?(conv|bn)/\w+"
    r"|stage\d_block\d/(ghost[12]/(primary|cheap)|depthwise)_conv/"
    r"((conv|bn)\d|pointwise_(conv|bn)|skip_bn)/\w+"
    r"|stage\d_block\d/se/(reduce|expand)/(kernel|bias)"
    r"|(stage\d_block\d|stage\d/(base|end|raw\d+))/((conv|bn)[123]|shortcut_(conv|bn))/\w+"
    r"|stage\d/(mix_(conv|bn)[12]|cheap_(conv|bn))/\w+"
    r"|stage\d_ghost\d/(primary|cheap)_(conv|bn)/\w+"
    r"|head_bn/\w+"
    r"|(head|predictions)/(kernel|bias)"
)


@pytest.fixture(scope="module", params=keras_ghostnet.list_models())
def model(request):
    """Each model in turn, built once."""
    return keras_ghostnet.create_model(request.param), request.param


def test_the_tables_here_are_of_models():
    assert PARAMETERS.keys() | MACS.keys() | FEATURES.keys() <= set(keras_ghostnet.list_models())


def test_model_bears_its_name(model):
    model, name = model
    assert model.name == name


def test_parameters_are_the_papers(model):
    model, name = model
    counted = keras_ghostnet.count_parameters(model)
    assert name in PARAMETERS, (
        f"{name} has {counted:_} parameters. Compare them with the paper or its authors' code, and "
        "add them to PARAMETERS in tests/test_models.py, and to MACS what is published"
    )
    assert counted == PARAMETERS[name]


def test_the_command_lists_what_is_counted(model):
    model, name = model
    counted = (keras_ghostnet.count_parameters(model), keras_ghostnet.count_macs(model))
    line = '"{}": ({:_}, {:_}),'.format(name, *counted)
    assert COSTS.get(name) == counted, (
        f"COSTS in keras_ghostnet/cli/models.py needs the line {line}"
    )
    assert model.input_shape[1] == specs.SPECS[name].image_size


def test_every_parameter_is_trained_but_the_statistics(model):
    model, _ = model
    trainable = sum(np.prod(weight.shape) for weight in model.trainable_weights)
    assert trainable == keras_ghostnet.count_parameters(model)
    assert {weight.name for weight in model.non_trainable_weights} == {
        "moving_mean",
        "moving_variance",
    }


@pytest.mark.parametrize("name", MACS)
def test_multiply_adds_are_the_published_ones(name):
    figure, unit = MACS[name].split()
    decimals = len(figure.partition(".")[2])
    _, macs = COSTS[name]  # which are those that are counted
    assert f"{macs / {'M': 1e6, 'G': 1e9}[unit]:.{decimals}f}" == figure


@pytest.mark.parametrize("name", DEPLOYED)
def test_the_folded_form_is_as_large_as_published(name):
    model = keras_ghostnet.create_model(name, deployed=True)
    macs = f"{keras_ghostnet.count_macs(model) / 1e6:.2f}"
    assert (keras_ghostnet.count_parameters(model), macs) == DEPLOYED[name]


@pytest.mark.parametrize("constructor", [keras_ghostnet.GhostNetV2, keras_ghostnet.GhostNetV3])
def test_attention_needs_two_pixels_of_the_last_maps(constructor):
    with pytest.raises(ValueError, match=r"at least 33 x 33 .*two pixels.*\(32, 64, 3\)"):
        constructor(input_shape=(32, 64, 3))


def test_shapes_from_image_to_classes(model):
    model, name = model
    expected = SIZES.get(name, IMAGENET)
    assert model.input_shape == (None, expected[0], expected[0], 3)
    assert model.output_shape == (None, 10 if name in SIZES else 1000)
    sizes = [layer.output.shape[1] for layer in model.layers if len(layer.output.shape) == 4]
    assert tuple(dict.fromkeys(sizes)) == expected
    pooled = model.get_layer("avg_pool")
    assert pooled.input.shape[1:3] == (expected[-1], expected[-1])
    assert pooled.output.shape[-1] == FEATURES.get(name, pooled.output.shape[-1])


def test_layers_and_variables_are_named_by_their_place(model):
    model, name = model
    paths = [weight.path for weight in model.weights]
    assert len(set(paths)) == len(paths)
    assert [path for path in paths if not VARIABLE.fullmatch(path)] == []
    if name == "ghostnet_050":  # as the documentation has them
        assert {"stage3_block2/ghost1/primary_conv/kernel", "stage4_block1/shortcut_bn/beta"} <= {
            *paths
        }
    names = [layer.name for layer in model.layers[1:]]  # the first is the input
    assert [name for name in names if re.search(r"_\d+$", name)] == []  # Keras' own numbering


@pytest.mark.parametrize("name", ["ghostnet_050", "g_ghost_regnetx_002"])
def test_the_classifier_puts_out_probabilities(name):
    model = keras_ghostnet.create_model(name, input_shape=(64, 64, 3))
    # Far larger than any image, so that the untrained network does not answer 1/1000 throughout.
    images = 1e3 * np.random.default_rng(0).standard_normal((2, 64, 64, 3)).astype("float32")
    probabilities = np.asarray(model(images))
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    assert (probabilities >= 0).all()
    assert probabilities.std() > 1e-6


def test_how_many_batch_norms_a_ghostnet_has():
    model = keras_ghostnet.GhostNet()
    assert sum(isinstance(layer, keras.layers.BatchNormalization) for layer in model.layers) == 2
    assert keras_ghostnet.freeze_batch_norm(model) == 80
    assert keras_ghostnet.freeze_batch_norm(keras.Sequential([keras.layers.Dense(1)])) == 0


def test_features_are_taken_by_the_names_of_layers():
    sizes, images = {}, np.random.default_rng(0).normal(size=(1, 32, 32, 3)).astype("float32")
    for name, names in {
        "ghostnet_050": [
            "stage1_block1",
            "stage2_block2",
            "stage3_block2",
            "stage4_block6",
            "final_relu",
        ],
        "g_ghost_regnetx_002": ["stem_relu", "stage1_block1", "stage2_block1", "stage3", "stage4"],
    }.items():
        model = keras_ghostnet.create_model(name, include_top=False)
        outputs = {layer: model.get_layer(layer).output for layer in names}
        features = keras.Model(model.input, outputs)(images)
        sizes[name] = [features[layer].shape[1] for layer in names]
        np.testing.assert_array_equal(features[names[-1]], model(images))
    assert [*sizes.values()] == 2 * [[16, 8, 4, 2, 1]]
