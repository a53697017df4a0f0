"""Every tensor is used once, every variable is set once, or nothing is and the message says why."""

import keras
import numpy as np
import pytest

import keras_ghostnet
from keras_ghostnet import GGhostRegNetX002, GhostNet, specs, weights
from keras_ghostnet.weights import transfer
from tests.golden.checkpoints import Golden
from tests.weights import checkpoint_files

GHOSTNET = "huawei_ghostnet_050_224"
G_GHOSTNET = "huawei_g_ghost_regnetx_002_128"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "checkpoint"


def write(path, tensors):
    checkpoint_files.write_torch_zip(path, tensors)
    return path


@pytest.fixture(scope="module")
def network():
    """What the tests load weights into: to build one takes ten times as long."""
    return GhostNet(0.5)


@pytest.fixture(scope="module")
def backbone():
    """The network without its top."""
    return GhostNet(0.5, include_top=False)


def load(path, model):
    """What a constructor does with its `weights` once the network is built."""
    source = weights.identify_checkpoint(path)
    weights.assign_weights(source, model, include_top="predictions" in model.output_names)


def with_classes(tensors, classes, layer="classifier"):
    tensors[f"{layer}.weight"] = tensors[f"{layer}.weight"][:classes]
    tensors[f"{layer}.bias"] = tensors[f"{layer}.bias"][:classes]
    return tensors


def test_every_tensor_and_every_variable_once(path, network):
    source = weights.identify_checkpoint(write(path, Golden(GHOSTNET).tensors()))
    assignments = transfer.plan_assignments(source, network, include_top=True)
    assert {a.tensor for a in assignments} == set(Golden(GHOSTNET).tensors())
    assert [a.variable.path for a in assignments] == [w.path for w in network.weights]
    assert len({a.tensor for a in assignments}) == len(assignments) == 432


def test_counters_of_batch_norm_are_ignored(path, network):
    tensors = Golden(GHOSTNET).tensors()
    tensors["bn1.num_batches_tracked"] = np.array(7, np.int64)
    load(write(path, tensors), network)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.arange(3), r"bn1\.num_batches_tracked \(int64\)"),
        (np.ones(()), r"bn1\.num_batches_tracked belongs to no variable"),
    ],
)
def test_a_counter_is_a_single_integer(path, value, message, network):
    tensors = Golden(GHOSTNET).tensors()
    tensors["bn1.num_batches_tracked"] = value
    with pytest.raises(ValueError, match=message):
        load(write(path, tensors), network)


@pytest.mark.parametrize("kind", ["int8", "bool"])
def test_weights_that_are_no_floats_are_named(path, kind, network):
    tensors = Golden(GHOSTNET).tensors()
    tensors["conv_head.bias"] = tensors["conv_head.bias"].astype(kind)
    with pytest.raises(ValueError, match=rf"conv_head\.bias \({kind}\)"):
        load(write(path, tensors), network)


def test_values_that_only_the_variable_s_type_makes_infinite(path, network):
    tensors = Golden(GHOSTNET).tensors()
    tensors["conv_head.bias"] = tensors["conv_head.bias"].astype(np.float64) + 1e300
    with pytest.raises(ValueError, match=r"conv_head\.bias has values .* infinite as float32"):
        load(write(path, tensors), network)


def test_values_that_float16_makes_infinite(path):
    tensors = Golden(GHOSTNET).tensors()
    tensors["conv_head.bias"] = tensors["conv_head.bias"] + np.float32(1e5)
    source = weights.identify_checkpoint(write(path, tensors))
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float16")
    try:
        model = GhostNet(0.5)
    finally:
        keras.config.set_dtype_policy(policy)
    with pytest.raises(ValueError, match=r"conv_head\.bias has values .* infinite as float16"):
        weights.assign_weights(source, model, include_top=True)


@pytest.mark.parametrize("kept", ["conv_head.weight", "classifier.bias"])
def test_the_top_is_complete_or_absent(path, tmp_path, kept, backbone):
    tensors = Golden(GHOSTNET).tensors()
    for name in {f"{a}.{b}" for a in ("conv_head", "classifier") for b in ("weight", "bias")}:
        if name != kept:
            del tensors[name]
    write(path, tensors)
    with pytest.raises(ValueError, match=rf"{kept} is of a top that is incomplete"):
        load(path, backbone)
    with pytest.raises(ValueError, match=rf"{kept} is of a top that is incomplete"):
        keras_ghostnet.convert_weights(path, tmp_path / "out.keras")


@pytest.mark.parametrize("name", ["head/head/extra:0", "predictions/kernel", "stem_conv/kernel"])
def test_only_what_the_table_knows_of_the_top_is_left_out(path, name, network, backbone):
    tensors = Golden("kecam_ghostnet_050_224").tensors()
    tensors[name] = np.ones(3, np.float32)
    checkpoint_files.write_keras2_h5(path, tensors)
    for model in (network, backbone):
        with pytest.raises(ValueError, match=rf"{name} belongs to no variable"):
            load(path, model)


def test_home_folder_in_a_path(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    write(tmp_path / "w.pth", Golden(GHOSTNET).tensors())
    GhostNet(0.5, weights="~/w.pth")


def test_missing_tensor_is_named_and_nothing_is_loaded(path, network):
    tensors = Golden(GHOSTNET).tensors()
    del tensors["blocks.6.2.ghost1.cheap_operation.1.bias"]
    source = weights.identify_checkpoint(write(path, tensors))
    before = network.get_weights()
    with pytest.raises(
        ValueError, match=r"(?s)nothing was loaded.*blocks\.6\.2\.ghost1\.cheap"
    ) as e:
        weights.assign_weights(source, network, include_top=True)
    assert "stage4_block4/ghost1/cheap_bn/beta" in str(e.value)
    for old, new in zip(before, network.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_tensor_that_belongs_nowhere_is_named(path, network):
    tensors = Golden(GHOSTNET).tensors()
    tensors["blocks.6.2.attention.weight"] = np.ones((3, 3), np.float32)
    with pytest.raises(ValueError, match=r"blocks\.6\.2\.attention\.weight belongs to no variable"):
        load(write(path, tensors), network)


def test_wrong_shape_is_named(path, network):
    tensors = Golden(GHOSTNET).tensors()
    tensors["conv_head.bias"] = tensors["conv_head.bias"][:-1]
    with pytest.raises(
        ValueError, match=r"conv_head\.bias of shape \(1279,\) does not fit head/bias"
    ):
        load(write(path, tensors), network)


def test_wrong_width_names_both(path):
    with pytest.raises(
        ValueError, match=r"(?s)width 0\.5.*width 1\b.*GhostNet\(0\.5, weights"
    ) as e:
        GhostNet(1.0, weights=write(path, Golden(GHOSTNET).tensors()))
    assert "ghostnet_050" in str(e.value)
    assert "ghostnet_100" in str(e.value)


def test_wrong_family_names_both(path):
    write(path, Golden(G_GHOSTNET).tensors())
    with pytest.raises(ValueError, match=r"(?s)g_ghost_regnetx_002.*ghostnet_050"):
        GhostNet(0.5, weights=path)


def test_wrong_size_names_both(path):
    write(path, Golden("huawei_g_ghost_regnetx_016_128").tensors())
    with pytest.raises(ValueError, match=r"(?s)g_ghost_regnetx_016.*g_ghost_regnetx_002"):
        GGhostRegNetX002(weights=path)


@pytest.mark.parametrize("classes", [10, 1001])
def test_other_classes_raise_and_the_message_shows_how_to_fine_tune(path, classes):
    write(path, Golden(GHOSTNET).tensors())
    with pytest.raises(
        ValueError, match=rf"(?s)1000 classes.*classes={classes}.*include_top=False"
    ):
        GhostNet(0.5, weights=path, classes=classes)


def test_the_recipe_that_the_message_shows_works(path):
    import keras_ghostnet

    write(path, Golden(GHOSTNET).tensors())
    with pytest.raises(ValueError, match="put your own on top") as e:
        GhostNet(0.5, weights=path, classes=10)
    lines = [line.strip() for line in str(e.value).splitlines() if line.startswith("    ")]
    code = "\n".join(lines).replace("weights=...", "weights=path")
    names = {"keras": keras, "keras_ghostnet": keras_ghostnet, "path": path}
    exec(code, names)
    assert names["model"].output_shape == (None, 10)


@pytest.mark.parametrize(
    ("constructor", "name"),
    [(lambda **k: GhostNet(0.5, **k), GHOSTNET), (GGhostRegNetX002, G_GHOSTNET)],
)
def test_without_the_top_the_rest_is_the_same(path, constructor, name):
    write(path, Golden(name).tensors())
    full = constructor(weights=path)
    backbone = constructor(weights=path, include_top=False, pooling="avg")
    by_path = {w.path: w for w in full.weights}
    for weight in backbone.weights:
        np.testing.assert_array_equal(weight.numpy(), by_path[weight.path].numpy())
    left_out = {path.split("/")[0] for path in by_path} - {
        w.path.split("/")[0] for w in backbone.weights
    }
    assert left_out == ({"head", "predictions"} if "ghostnet_050" in name else {"predictions"})


def test_without_the_top_all_other_tensors_are_needed(path, backbone):
    tensors = Golden(GHOSTNET).tensors()
    tensors["surplus.weight"] = np.ones(3, np.float32)
    with pytest.raises(ValueError, match=r"surplus\.weight belongs to no variable"):
        load(write(path, tensors), backbone)


@pytest.mark.parametrize("layers", [("conv_head", "classifier"), ("classifier",)])
def test_checkpoint_without_classifier(path, tmp_path, layers, backbone):
    """timm's `num_classes=0` leaves the head without a classifier."""
    tensors = Golden(GHOSTNET).tensors()
    for layer in layers:
        del tensors[f"{layer}.weight"], tensors[f"{layer}.bias"]
    load(write(path, tensors), backbone)
    with pytest.raises(ValueError, match="no classifier"):
        GhostNet(0.5, weights=path)
    if layers == ("classifier",):
        with pytest.raises(ValueError, match=r"conv_head\.bias, conv_head\.weight would be lost"):
            keras_ghostnet.convert_weights(path, tmp_path / "out.keras")


def test_fine_tuned_checkpoint_with_its_own_classes(path):
    write(path, with_classes(Golden(GHOSTNET).tensors(), 7))
    with pytest.raises(ValueError, match=r"classes=1000\..*build the model with classes=7\."):
        GhostNet(0.5, weights=path)
    assert GhostNet(0.5, weights=path, classes=7).output_shape == (None, 7)


def test_wrong_number_of_channels(path):
    write(path, Golden(GHOSTNET).tensors())
    with pytest.raises(ValueError, match=r"takes 3 channels.*takes 1\. .*\(\.\.\., 3\).*repeat"):
        GhostNet(0.5, weights=path, input_shape=(224, 224, 1))
    tensors = Golden(GHOSTNET).tensors()
    tensors["conv_stem.weight"] = tensors["conv_stem.weight"][:, :1]
    with pytest.raises(ValueError, match=r"takes 1 channels.*takes 3\. .*\(\.\.\., 1\).*average"):
        GhostNet(0.5, weights=write(path, tensors))


def test_pretrained_classifier_knows_softmax_and_logits_alone(path):
    write(path, Golden(GHOSTNET).tensors())
    with pytest.raises(ValueError, match="classifier_activation"):
        GhostNet(0.5, weights=path, classifier_activation="sigmoid")


@pytest.mark.parametrize("width", [0.35, 0.75, 1.7])
def test_any_width_is_told_by_the_shapes(tmp_path, width):
    model = GhostNet(width, classes=3)
    model.save_weights(tmp_path / "any.weights.h5")
    source = weights.identify_checkpoint(tmp_path / "any.weights.h5")
    assert source.spec.stages == specs.ghostnet(width).stages
    assert (source.classes, source.channels) == (3, 3)


def test_unknown_network_lists_what_is_known(path):
    write(path, {"features.0.weight": np.ones((8, 3, 3, 3), np.float32)})
    with pytest.raises(ValueError, match=r"(?s)features\.0\.weight.*Huawei.*Paddle"):
        GhostNet(0.5, weights=path)


def test_known_names_with_impossible_shapes(path):
    tensors = Golden(GHOSTNET).tensors()
    tensors["blocks.3.0.ghost1.primary_conv.1.weight"] = np.ones(17, np.float32)
    with pytest.raises(ValueError, match="fit no width"):
        GhostNet(0.5, weights=write(path, tensors))
