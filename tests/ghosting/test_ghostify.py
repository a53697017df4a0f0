"""`ghostify`: the papers' counts, what is replaced and what stays, and what is refused."""

import pathlib
import re
import subprocess
import sys

import keras
import numpy as np
import pytest

import keras_ghostnet
from keras_ghostnet import (
    GhostResNet56,
    GhostVGG16,
    ghost_costs,
    ghostify,
    model_file,
    preprocess_input,
)
from keras_ghostnet.export import deploy, export
from keras_ghostnet.layers import FeaturePyramid, GhostBottleneck, GhostModule, GroupedConv2D
from tests.plain_networks import resnet56, vgg16

RNG = np.random.default_rng(0)
LAYERS = keras.layers
PAGE = pathlib.Path(__file__).parents[2] / "docs" / "ghostify.md"


def everything(layer):
    """Also the first convolution, as in the paper's VGG-16."""
    return True


# ------------------------------------------------------------------------- the papers' counts


@pytest.mark.parametrize(
    ("ratio", "size"),
    [
        (2, 3),
        *(pytest.param(s, 3, marks=pytest.mark.thorough) for s in (3, 4, 5)),
        *(pytest.param(2, d, marks=pytest.mark.thorough) for d in (1, 5, 7)),
    ],
)
def test_vgg16_has_the_paper_s_counts(ratio, size):
    ours = ghostify(vgg16(), ratio, size, select=everything)
    assert_same_counts(ours, GhostVGG16(ratio, size))


@pytest.mark.thorough
def test_resnet56_has_the_paper_s_counts():
    model = resnet56()
    ours = ghostify(model, cheap_kernel_size=1)
    assert_same_counts(ours, GhostResNet56())
    assert ghost_costs(model, ours)[0].note == "the first"


def assert_same_counts(ours, theirs):
    """Those of the paper, as `test_cifar_models.py` shows."""
    for count in (keras_ghostnet.count_parameters, keras_ghostnet.count_macs):
        assert count(ours) == count(theirs)


def torch_resnet50():
    """ResNet-50 with the stride in the 3x3 convolutions, which has the paper's 4.1 G."""

    def copy(layer):
        config = layer.get_config()
        if layer.name.endswith(("block1_1_conv", "block1_2_conv")) and "conv2" not in layer.name:
            config["strides"] = 1 if "_1_" in layer.name else 2
        return type(layer).from_config(config)

    model = keras.applications.ResNet50(weights=None)
    return keras.models.clone_model(model, clone_function=copy)


# The paper's multiply-adds, in billions, are those of a stride in the 3x3 convolutions. Its
# parameters are told here and in `docs/ghostify.md`: 25.6 -> 13.0 and 6.5 million.
@pytest.mark.thorough
@pytest.mark.parametrize(
    ("ratio", "parameters", "macs", "published"),
    [(2, 13_953_576, 2_033_047_040, "2.2"), (4, 8_151_816, 1_120_583_936, "1.2")],
)
def test_resnet50_has_the_paper_s_multiply_adds(ratio, parameters, macs, published):
    model = keras.applications.ResNet50(weights=None)
    total = ghost_costs(model, ghostify(model, ratio))[-1]
    assert total.parameters == (25_583_592, parameters)
    assert total.macs == (3_857_973_248, macs)
    model = torch_resnet50()
    total = ghost_costs(model, ghostify(model, ratio))[-1]
    assert total.parameters == (25_583_592, parameters)
    assert [f"{count / 1e9:.1f}" for count in total.macs] == ["4.1", published]


# ------------------------------------------------------------------ what becomes a ghost module


def build(*layers, shape=(9, 9, 8)):
    """A network of these layers behind a first convolution; batch norms know some statistics."""
    x = inputs = keras.Input(shape)
    x = LAYERS.Conv2D(8, 1, name="first")(x)
    for layer in layers:
        x = layer(x)
    return randomized(keras.Model(inputs, x))


def randomized(model):
    for weight in model.weights:
        positive = weight.name in ("gamma", "moving_variance")
        values = RNG.uniform(0.5, 1.5, weight.shape) if positive else RNG.normal(size=weight.shape)
        weight.assign(values * (1 if positive else 0.3))
    return model


def images(model, count=64):
    return [RNG.normal(size=(count, *x.shape[1:])).astype("float32") for x in model.inputs]


@pytest.mark.parametrize(
    "options",
    [
        dict(kernel_size=3, padding="same", activation="relu"),
        dict(kernel_size=3, strides=2, padding="same"),
        dict(kernel_size=3, dilation_rate=2, activation="silu", use_bias=False),
        dict(kernel_size=1, padding="valid", activation="relu6"),
    ],
    ids=str,
)
def test_the_module_is_of_the_convolution_s_kind(options):
    model = build(LAYERS.Conv2D(12, name="conv", **options), LAYERS.MaxPooling2D(2))
    ghost = ghostify(model, select=["conv"])
    assert ghost.output_shape == model.output_shape
    module = ghost.get_layer("conv")
    assert isinstance(module, GhostModule)
    for name in ("kernel_size", "strides", "dilation_rate"):
        assert getattr(module, name) == getattr(model.get_layer("conv"), name)[0]
    assert module.padding == options.get("padding", "valid")
    assert module.activation is keras.activations.get(options.get("activation"))


def conv(name="conv", filters=8, **options):
    return LAYERS.Conv2D(filters, 3, padding="same", name=name, **options)


def test_batch_norm_and_activation_become_part_of_it():
    model = build(
        conv(), LAYERS.BatchNormalization(name="bn"), LAYERS.ReLU(6, name="relu"), conv("end")
    )
    ghost = ghostify(model, select=["conv"])
    assert [layer.name for layer in ghost.layers[1:]] == ["first", "conv", "end"]
    assert ghost.get_layer("conv").activation is keras.activations.relu6


@pytest.mark.parametrize(
    ("follower", "activation"),
    [
        (LAYERS.Softmax, "linear"),
        (lambda: LAYERS.Activation("softmax"), "linear"),
        (LAYERS.PReLU, "linear"),
        (lambda: LAYERS.ReLU(5.0), "linear"),
        (lambda: LAYERS.BatchNormalization(axis=1), "linear"),
        (lambda: LAYERS.Activation("gelu"), "gelu"),
        (lambda: keras.ops.relu, "relu"),
    ],
)
def test_nothing_else_becomes_part_of_it(follower, activation):
    model = build(conv(), follower(), conv("end"))
    ghost = ghostify(model, select=["conv"])
    module = ghost.get_layer("conv")
    assert module.activation is keras.activations.get(activation)
    gone = len(model.operations) - len(ghost.operations)
    assert gone == (activation != "linear")
    assert ghost(images(model)[0]).shape == (64, 9, 9, 8)


def test_what_two_read_stays():
    x = inputs = keras.Input((8, 8, 4))
    norm = LAYERS.BatchNormalization(name="norm")(conv()(conv("first")(x)))
    model = keras.Model(inputs, LAYERS.Add()([LAYERS.ReLU(name="relu")(norm), norm]))
    ghost = ghostify(model, select=["conv"])
    names = {layer.name for layer in ghost.layers}
    assert "relu" in names
    assert "norm" not in names
    assert ghost.get_layer("conv").activation is keras.activations.linear


def test_shared_nested_and_several_inputs():
    branch = keras.Sequential(
        [keras.Input((8, 8, 6)), conv("inner"), LAYERS.BatchNormalization(), LAYERS.ReLU()],
        name="branch",
    )
    shared = conv("shared", filters=6, activation="relu")
    inputs = {name: keras.Input((8, 8, 3), name=name) for name in ("left", "right")}
    maps = {name: shared(conv(f"{name}_first")(x)) for name, x in inputs.items()}
    outputs = {"sum": branch(maps["left"]) + branch(maps["right"]), "left": maps["left"]}
    model = randomized(keras.Model(inputs, outputs))
    nodes = [len(operation._inbound_nodes) for operation in model.operations]
    before = model.get_weights()

    ghost = ghostify(model, select=["shared", "branch/inner"], calibration=dict(zip(
        inputs, images(model), strict=True)))  # fmt: skip
    assert isinstance(ghost.get_layer("shared"), GhostModule)
    assert len(ghost.get_layer("shared")._inbound_nodes) == 2
    assert [type(layer) for layer in ghost.get_layer("branch").layers] == [GhostModule]
    assert set(ghost(dict(zip(inputs, images(model), strict=True)))) == {"sum", "left"}
    for name in ("left_first", "right_first"):
        for ours, theirs in zip(
            ghost.get_layer(name).get_weights(), model.get_layer(name).get_weights(), strict=True
        ):
            np.testing.assert_array_equal(ours, theirs)
    assert nodes == [len(operation._inbound_nodes) for operation in model.operations]
    for ours, theirs in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_calibration_by_name_goes_to_the_inputs_of_these_names():
    inputs = [keras.Input((8, 8, channels), name=name) for channels, name in ((3, "b"), (4, "a"))]
    maps = [conv(f"{x.name}_first")(x) for x in inputs]
    model = keras.Model(inputs, conv()(LAYERS.Concatenate()(maps)))
    pictures = dict(zip("ba", images(model), strict=True))
    ours = ghostify(model, select=["conv"], calibration={name: pictures[name] for name in "ab"})
    theirs = ghostify(model, select=["conv"], calibration=list(pictures.values()))
    for weight, expected in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, expected)


@pytest.mark.parametrize("activation", ["hard_silu", "mish"])  # which take no symbolic tensors
def test_any_activation_is_counted_and_deployed(activation):
    model = build(conv(activation=activation))
    ghost = ghostify(model, select=["conv"])
    same = ghostify(build(conv(activation="relu")), select=["conv"])
    assert keras_ghostnet.count_macs(ghost) == keras_ghostnet.count_macs(same)
    pictures = images(model)[0]
    np.testing.assert_allclose(deploy(ghost)(pictures), ghost(pictures), atol=1e-5)
    assert ghost.get_layer("conv").activation is keras.activations.get(activation)


def test_what_is_worth_it():
    x = inputs = keras.Input((16, 16, 3))
    x = conv("first", 16)(x)
    x = GroupedConv2D(16, 3, groups=4, name="grouped")(x)
    x = LAYERS.DepthwiseConv2D(3, name="depthwise")(x)
    x = LAYERS.Conv2D(4, 1, name="few_filters")(x)
    x = LAYERS.Conv2D(16, 1, name="few_inputs")(x)
    x = LAYERS.Conv2D(32, (1, 3), name="flat")(x)
    x = LAYERS.Conv2D(32, 3, name="good")(x)
    gate = LAYERS.GlobalAveragePooling2D(keepdims=True)(x)
    x = x * LAYERS.Conv2D(32, 1, activation="sigmoid", name="gate")(gate)
    model = keras.Model(inputs, LAYERS.Conv2D(10, 3, name="last")(x))
    ghost = ghostify(model)
    notes = {row.layer: row.note for row in ghost_costs(model, ghost)}
    assert notes == {
        "first": "the first",
        "grouped": "it has 4 groups, a ghost module's convolution none",
        "depthwise": "depthwise already",
        "few_filters": "little to save",
        "few_inputs": "little to save",
        "flat": "its `kernel_size` is 1 x 3, a ghost module's is square",
        "good": "ghost module",
        "gate": "maps of one pixel",
        "last": "the model's outputs",
        "other layers": "",
        "total": "",
    }
    counts = {row.layer: (row.parameters, row.macs) for row in ghost_costs(model, ghost)}
    # 3x3x32 to 16 intrinsic maps, 16 kernels of 3x3 on them, two batch norms; 10 x 8 places.
    assert counts["good"] == (
        (3 * 3 * 32 * 32 + 32, 3 * 3 * 32 * 16 + 3 * 3 * 16 + 4 * 16),
        (10 * 8 * 3 * 3 * 32 * 32, 10 * 8 * (3 * 3 * 32 * 16 + 3 * 3 * 16)),
    )
    assert counts["total"][0] == tuple(map(keras_ghostnet.count_parameters, (model, ghost)))
    assert counts["total"][1] == tuple(map(keras_ghostnet.count_macs, (model, ghost)))


def test_it_is_saved_and_loaded(tmp_path):
    model = build(conv(), LAYERS.BatchNormalization(), LAYERS.ReLU(), LAYERS.GlobalMaxPooling2D())
    ghost = ghostify(model, ratio=3)
    ghost.save(tmp_path / "ghost.keras")
    loaded = model_file.load_model(tmp_path / "ghost.keras")
    pictures = images(model)[0]
    np.testing.assert_array_equal(loaded(pictures), ghost(pictures))


def test_the_page_s_code_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for block in re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL):
        exec(block, {})
    assert "ghost module (" in capsys.readouterr().out
    assert (tmp_path / "ghost.keras").exists()


@pytest.mark.thorough
def test_it_is_exported_and_verified(tmp_path):
    layers = [conv(), LAYERS.BatchNormalization(), LAYERS.ReLU(), LAYERS.GlobalAveragePooling2D()]
    model = build(*layers, LAYERS.Dense(4, name="top"), shape=(16, 16, 3))
    pixels = RNG.integers(0, 256, (64, 16, 16, 3)).astype("uint8")
    ghost = ghostify(model, 3, select=["conv"], calibration=preprocess_input(pixels))
    formats = ("tflite_fp32", "saved_model", "onnx_fp32")
    results = export(ghost, tmp_path, formats, data=(pixels, RNG.integers(0, 4, 64)))
    assert [result.path.exists() for result in results] == [True] * 3
    assert max(result.verification.max_error for result in results) < 1e-4


@pytest.mark.thorough
def test_the_example_runs():
    example = PAGE.parents[1] / "examples" / "ghostify_digits.py"
    command = [sys.executable, str(example), "--epochs", "2", "--ratios", "2"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    rows = [line.split() for line in done.stdout.splitlines()]
    assert [row[:2] for row in rows[1:4]] == [["chain", "1"], ["chain", "2"], ["chain", "2"]]
    assert float(rows[3][-2].rstrip("%")) > float(rows[2][-2].rstrip("%")) + 50


# ------------------------------------------------------------------------------------ bad input


class Subclass(keras.Model):
    def call(self, inputs):
        return inputs


def plain():
    return build(conv(filters=6, activation="relu"), shape=(6, 6, 3))


def bottleneck():
    return build(GhostBottleneck(16, 8, name="block"))


def test_a_pyramid_stays_one(tmp_path):
    """Its levels, the layers that they are named by, and what KerasHub's models look for."""
    inputs = keras.Input((16, 16, 3))
    x = LAYERS.Conv2D(16, 3, strides=2, padding="same", name="stem")(inputs)
    fine = LAYERS.Conv2D(16, 3, strides=2, padding="same", name="stage2")(x)
    coarse = LAYERS.Conv2D(16, 3, strides=2, padding="same", name="stage3")(fine)
    levels = {"P2": fine, "P3": coarse}
    pyramid = FeaturePyramid(inputs=inputs, outputs=levels, name="net")
    ghost = ghostify(pyramid, select=["stage2"])
    assert type(ghost) is FeaturePyramid
    assert isinstance(ghost.get_layer("stage2"), GhostModule)
    assert {level: maps.shape for level, maps in ghost.pyramid_outputs.items()} == {
        level: maps.shape for level, maps in levels.items()
    }
    images = RNG.random((1, 16, 16, 3), "float32")
    found = ghost(images)
    below = keras.Model(ghost.input, ghost.get_layer("stage2").output)
    np.testing.assert_array_equal(found["P2"], below(images))
    ghost.save(tmp_path / "ghost.keras")
    again = model_file.load_model(tmp_path / "ghost.keras")
    assert type(again) is FeaturePyramid
    np.testing.assert_array_equal(again(images)["P3"], found["P3"])


@pytest.mark.parametrize(
    ("model", "options", "message"),
    [
        (lambda: Subclass(), {}, r"has no graph of layers.*functional API"),
        (lambda: keras.Sequential([conv()]), {}, r"has no graph of layers"),
        (lambda: ghostify(plain()), {}, r"has ghost modules already, such as conv"),
        (bottleneck, {}, r"has ghost modules already, such as block/ghost"),
        (plain, dict(ratio=1), r"`ratio` must be 2 or more"),
        (plain, dict(ratio="2"), r"`ratio` must be a positive integer"),
        (plain, dict(cheap_kernel_size=2), r"odd `cheap_kernel_size`"),
        (plain, dict(ratio=7), r"conv \(it has 6 filters, fewer than the ratio, 7\)"),
        (plain, dict(ratio=7, select=["conv"]), r"conv cannot become .*fewer than the ratio"),
        (plain, dict(select=["con"]), r"no convolution 'con'. Did you mean 'conv'"),
        (plain, dict(select="conv"), r"`select` must be a function of a layer, a list"),
        (plain, dict(select=3), r"`select` must be a function of a layer, a list"),
        (plain, dict(select=lambda layer: None), r"must return True or False.*None for first"),
        (plain, dict(select=lambda layer: False), r"No convolution becomes a ghost module"),
        (plain, dict(calibration=np.zeros((9, 6, 7, 3))), r"must be numbers \(images, 6, 6, 3\)"),
        (plain, dict(calibration=np.zeros((9, 6, 6))), r"Received: float64 \(9, 6, 6\)"),
        (plain, dict(calibration=np.full((9, 6, 6, 3), "x")), r"Received: <U1"),
        (plain, dict(calibration=np.full((9, 6, 6, 3), np.nan)), r"not finite"),
        (plain, dict(calibration=np.zeros((7, 6, 6, 3))), r"needs 8 images at least"),
        (plain, dict(calibration=[np.zeros((9, 6, 6, 3))] * 2), r"Received 2 arrays"),
        (plain, dict(calibration={"x": np.zeros((9, 6, 6, 3))}), r"by the names .*Received: x"),
        (lambda: build(LAYERS.Softmax(), shape=(1, 1, 3)), {}, r"becomes a ghost module. There"),
        (lambda: keras.Sequential([keras.Input((3,)), LAYERS.Dense(1)]), {}, r"has no 2D conv"),
    ],
)  # fmt: skip
def test_bad_input_says_what_to_do(model, options, message):
    with pytest.raises(ValueError, match=message):
        ghostify(model(), **options)


def test_costs_of_another_model():
    with pytest.raises(ValueError, match=r"was not made of .* by `ghostify`"):
        ghost_costs(plain(), plain())
