"""Feature pyramids: timm's maps, and dilation against networks without strides."""

import contextlib
import json

import keras
import numpy as np
import pytest

import keras_ghostnet
from keras_ghostnet import features, layers, model_file, specs
from keras_ghostnet.benchmark.networks.random_weights import settle_batch_norms
from keras_ghostnet.export import export
from keras_ghostnet.export.graph.flatten import flatten
from keras_ghostnet.layers import GroupedConv2D
from keras_ghostnet.preprocessing import normalize
from tests.export.conftest import patches
from tests.golden.checkpoints import FOLDER, Golden
from tests.keras_state import dtype_policy
from tests.short_networks import short_networks

RECORDED = json.loads((FOLDER / "features" / "timm.json").read_text())
# Short networks, of each kind of stage; the whole ones, and all families, are thorough.
DILATED = [
    ("ghostnet_050", short_networks),
    ("g_ghost_regnetx_002", short_networks),
    *(
        pytest.param((name, contextlib.nullcontext), marks=pytest.mark.thorough)
        for name in (
            *("ghostnet_050", "g_ghost_regnetx_002", "ghostnetv2_100", "ghostnetv3_050"),
            "repghostnet_050",
        )
    ),
]


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[] if "ghostnet_100_192" in name else pytest.mark.thorough)
        for name in RECORDED
    ],
)
def test_maps_are_those_of_timm(name, tmp_path):
    golden = Golden(name)
    with dtype_policy("float64"):
        pyramid = keras_ghostnet.feature_pyramid(
            golden.model, ["P1", *features.LEVELS], weights=golden.write(tmp_path)
        )
        found = pyramid(golden.images(), training=False)
    for level, record in zip(found, RECORDED[name], strict=True):
        maps = np.asarray(found[level])
        assert maps.shape == (2, *record["size"], record["channels"])
        allowed = 1e-6 * record["std"]  # 3e-9 is reached
        np.testing.assert_allclose(maps.ravel()[:8], record["first8"], rtol=0, atol=allowed)
        np.testing.assert_allclose(maps.ravel()[-8:], record["last8"], rtol=0, atol=allowed)
        np.testing.assert_allclose(maps.mean(), record["mean"], rtol=0, atol=allowed)
        np.testing.assert_allclose(maps.std(), record["std"], rtol=1e-6)


@pytest.mark.parametrize("name", keras_ghostnet.list_models())
def test_levels_are_named_without_building(name):
    names = list(features.level_layers(name))
    assert names == [f"P{number}" for number in range(1, 6)][: len(names)]
    assert len(names) == (2 if name == "ghost_resnet56" else 5)


@pytest.mark.parametrize("name", ["ghost_vgg16", "ghost_resnet56"])
def test_networks_for_cifar_have_levels(name):
    levels = list(features.level_layers(name))
    pyramid = keras_ghostnet.feature_pyramid(name, levels)
    assert list(pyramid.output) == list(pyramid.pyramid_outputs) == levels
    for level, maps in pyramid.compute_output_shape((1, 64, 96, 3)).items():
        stride = 2 ** int(level[1:])
        assert maps[1:3] == (64 // stride, 96 // stride)


def test_what_is_behind_the_last_level_is_left_out():
    with short_networks():
        pyramid = keras_ghostnet.feature_pyramid("ghostnet_050", "P3")
    assert list(pyramid.output) == ["P3"]
    assert pyramid.layers[-1].name == "stage3_block1"


def test_a_saved_pyramid_is_one_again(tmp_path):
    with short_networks():
        pyramid = keras_ghostnet.feature_pyramid("ghostnet_050", ("P4", "P5"), output_stride=16)
    randomize(pyramid)
    pyramid.save(tmp_path / "pyramid.keras")
    loaded = model_file.load_model(tmp_path / "pyramid.keras")
    assert list(loaded.pyramid_outputs) == ["P4", "P5"]
    expected = pyramid(images())
    for level, maps in loaded(images()).items():
        np.testing.assert_array_equal(maps, expected[level])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("ghostnet_050", ["P6"]), "levels of ghostnet_050, each once: P1, P2, .*'P6'"),
        (("ghost_resnet56",), "levels of ghost_resnet56, each once: P1, P2. Received"),
        (("ghostnet_050", []), "levels of ghostnet_050.*levels=()"),
        (("ghostnet_050", ["P3", "P3"]), "each once"),
        (("ghostnet_050", 5), r"levels of ghostnet_050.*levels=\('5',\)"),
        (("ghostnet_050", ["P3"], 16.0), "`output_stride` must be one of 8, 16, 32.*=16.0"),
        (("ghostnet_050", ["P3"], 4), "`output_stride` must be one of 8, 16, 32.*=4"),
        (("ghostnet_050", ["P3"], "16"), "`output_stride` must be one of 8, 16, 32.*='16'"),
        (("ghost_vgg16", ["P3"], 16), "no dilated form.*Leave `output_stride` out"),
        (("ghostnet_05",), "Unknown model 'ghostnet_05'. Did you mean 'ghostnet_050'"),
    ],
)
def test_bad_input(arguments, message):
    with pytest.raises(ValueError, match=message):
        keras_ghostnet.feature_pyramid(*arguments)


@pytest.mark.parametrize("argument", features.TOP)
def test_a_pyramid_has_no_classifier(argument):
    with pytest.raises(ValueError, match=f"no classifier: leave out {argument}"):
        keras_ghostnet.feature_pyramid("ghostnet_050", **{argument: None})


# -------------------------------------------------------------------------------- dilation


def randomize(model):
    """Random values of all weights: fresh batch norms would hide where zeros are padded."""
    random = np.random.default_rng(0)
    for weight in model.weights:
        shape, name = tuple(weight.shape), weight.name
        if name in ("gamma", "moving_variance"):
            weight.assign(random.uniform(0.5, 1.5, shape))
        elif name in ("beta", "moving_mean", "bias"):
            weight.assign(random.normal(0, 0.1, shape))


def without_means(model):
    """Leaves of the gates and of `mix`, which look at the means of all positions, the offsets."""
    for weight in model.weights:
        if "/se/expand/kernel" in weight.path or "/mix_conv1/kernel" in weight.path:
            weight.assign(np.zeros(weight.shape))


def stride_free(model, kept):
    """The network with no stride behind those that make up `kept`, in stock layers.

    It knows nothing of the blocks: whatever convolution has a stride loses it, and every padding
    and kernel behind it is spread by the strides that were lost.
    """
    graph = flatten(model)
    reached = {graph.input: (1, 1)}  # the stride that was kept, and the product of those lost
    for node in graph.nodes()[1:]:
        stride, lost = reached[node.inputs[0]]
        if issubclass(node.kind, keras.layers.ZeroPadding2D):
            padding = [[pad * lost for pad in pads] for pads in node.config["padding"]]
            node.config = {**node.config, "padding": padding}
        elif issubclass(node.kind, keras.layers.Conv2D | keras.layers.DepthwiseConv2D):
            strides, dilation = (node.config[name][0] for name in ("strides", "dilation_rate"))
            spread = {"dilation_rate": dilation * lost}
            if stride * strides > kept:
                spread["strides"], lost = 1, lost * strides
            node.config = {**node.config, **spread}
            if node.config.get("groups", 1) > 1:
                node.kind = GroupedConv2D  # Keras' own is compiled, for seconds
            stride *= strides
        reached[node] = stride, lost
    return graph.to_model("float64")


@pytest.fixture(scope="module", params=DILATED, ids=lambda param: f"{param[0]}-{param[1].__name__}")
def networks(request):
    """Pyramids of one network by output stride, all with the same random weights."""
    name, context = request.param
    with dtype_policy("float64"), context():
        made = {
            stride: keras_ghostnet.feature_pyramid(
                name, output_stride=stride, deepest=True, input_shape=(None, None, 3)
            )
            for stride in specs.OUTPUT_STRIDES
        }
    randomize(made[32])
    assert [weight.path for weight in made[8].weights] == [
        weight.path for weight in made[32].weights
    ]
    return made


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (layers.GhostBottleneck, dict(attention=True)),
        (layers.GhostBottleneck, dict(attention=True, branches=2)),
        (layers.RepGhostBottleneck, {}),
    ],
)
@pytest.mark.parametrize("size", [(23, 16), (26, 24)])
def test_successors_blocks(kind, options, size):
    """Two blocks in a row, the first of them at an output stride that is dilated already."""
    x = np.random.default_rng(0).normal(size=(2, *size, 4))
    options = dict(expansion=8, kernel_size=5, dtype="float64", **options)
    strided = [kind(filters=6, strides=2, **options), kind(filters=8, **options)]
    dilated = [
        kind(filters=6, strides=2, input_dilation=2, dilate=True, **options),
        kind(filters=8, input_dilation=4, **options),
    ]
    found, expected = x, x[:, ::2, ::2]
    for block, reference in zip(dilated, strided, strict=True):
        reference.build(expected.shape)
        randomize(reference)
        block.build(found.shape)
        block.set_weights(reference.get_weights())
        found, expected = block(found), reference(expected)
    assert found.shape[1:3] == size
    assert_same(found[:, ::4, ::4], expected)


def images(height=43, width=58):
    return np.random.default_rng(1).normal(size=(1, height, width, 3)).astype("float32")


def assert_same(maps, expected):
    maps, expected = np.asarray(maps), np.asarray(expected)
    assert maps.shape == expected.shape
    np.testing.assert_allclose(maps, expected, rtol=0, atol=1e-10 * expected.std())


def test_dilated_network_is_the_one_without_strides(networks):
    """At all positions, with the means of all positions."""
    if "v" in networks[8].name:
        pytest.skip("DFC attention is computed at the strided network's places alone")
    networks[8].set_weights(networks[32].get_weights())
    expected = stride_free(networks[32], 8)(images())
    found = networks[8](images())
    assert found["P5"].shape[1:3] == (6, 8)
    for level in features.LEVELS:
        assert_same(found[level], expected[level])


def test_values_are_the_same_at_the_strided_network_s_places(networks):
    """But for the means of all positions, of which a strided network has fewer."""
    without_means(networks[32])
    for stride in (8, 16):
        networks[stride].set_weights(networks[32].get_weights())
    found = {stride: networks[stride](images()) for stride in networks}
    for level, own in zip(features.LEVELS, (4, 8, 16, 32), strict=True):
        for stride in (8, 16):
            step = max(1, own // stride)
            assert_same(found[stride][level][:, ::step, ::step], found[32][level])


@pytest.mark.parametrize(
    ("kind", "arguments", "message"),
    [
        (layers.GhostBottleneck, (8, 8), "GhostBottleneck: behind a stride .* Use dilate=True"),
        (layers.RepGhostBottleneck, (8, 8), "RepGhostBottleneck: behind a stride"),
        (layers.RegNetBlock, (8, 4), "RegNetBlock: behind a stride"),
        (layers.GGhostStage, (16, 3, 4), "behind a stride"),
        (layers.GhostModule, (8,), "cannot both be above 1"),
    ],
)
def test_no_stride_is_left_behind_a_dilation(kind, arguments, message):
    with pytest.raises(ValueError, match=message):
        kind(*arguments, strides=2, input_dilation=2)


def test_attention_needs_pixels_of_the_strided_network():
    with pytest.raises(ValueError, match=r"at least 5. Received: input_shape=\(None, 4, 9, 8\)"):
        layers.DFCAttention(8, input_dilation=4).build((None, 4, 9, 8))


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("ghostnet_050", (64, 96)),
        ("g_ghost_regnetx_002", (64, 96)),
        ("repghostnet_050", (64, 96)),
        ("ghostnetv3_050", (64, 96)),
        ("ghostnetv3_050", (72, 85)),  # maps of 9 x 11 pixels, no multiples of the dilations
    ],
)
def test_dilated_networks_are_deployed(name, size, tmp_path):
    """As a whole to XNNPACK in TFLite; `export/test_maps.py` has the other formats."""
    pyramid = keras_ghostnet.feature_pyramid(
        name, ["P5"], output_stride=8, input_shape=(*size, 3), deepest=True
    )
    pixels = patches(40, 96)[:, : size[0], : size[1]]
    settle_batch_norms(pyramid, normalize(pixels[:16]), momentum=0.004)
    maps = keras.Model(pyramid.input, pyramid.output["P5"], name=name)
    results = export(maps, tmp_path, ("tflite_fp32", "onnx_fp32"), calibration=pixels)
    assert [result.outcome for result in results] == ["passed", "passed"]
    assert maps.output_shape[1:3] == tuple(-(-side // 8) for side in size)
