"""Whole models in their deployment form: ours in every variant, and those of Keras."""

import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_ghostnet import GhostNetV3, create_model
from keras_ghostnet.export import tflite
from keras_ghostnet.export.graph import deploy, for_tracing
from keras_ghostnet.export.graph.deploy import PASSES
from keras_ghostnet.export.graph.flatten import flatten
from keras_ghostnet.quiet import quiet
from tests.export.graph.compare import error, images, kinds, outputs, randomize
from tests.export.networks import NAMES, SHAPE, SINCE, short_network
from tests.short_networks import short_networks

OURS = {
    "logits": ("ghostnet_050", dict(classifier_activation=None, input_shape=SHAPE)),
    "maps": ("ghostnet_050", dict(include_top=False)),
    "002": ("g_ghost_regnetx_002", dict(classifier_activation=None, input_shape=SHAPE)),
    "006": ("g_ghost_regnetx_006", dict(include_top=False, pooling="max")),
}
V3 = dict(input_shape=SHAPE, classes=10, classifier_activation=None)
applications = keras.applications
KERAS = {
    applications.MobileNet: dict(alpha=0.25),
    applications.MobileNetV3Large: dict(alpha=0.75),
    applications.ResNet50: {},
    applications.EfficientNetB0: {},
}


@pytest.fixture(scope="module", params=OURS)
def ours(request):
    name, options = OURS[request.param]
    return randomize(create_model(name, **options))


@pytest.fixture(scope="module")
def deployed(ours):
    return deploy(ours)


def check_equal(model, deployed, tolerance=1e-9):
    """In double precision the same function; in single precision as near to it as the model."""
    graph = flatten(model)
    exact = for_tracing(graph.to_model("float64"))
    for run in PASSES.values():
        run(graph)
    assert error(exact, for_tracing(graph.to_model("float64")), images(model)) < tolerance
    rounding = error(exact, model, images(model))
    assert error(exact, for_tracing(deployed), images(model)) < max(1e-5, 2 * rounding)
    assert rounding < 1e-4


def test_our_models(ours, deployed):
    check_equal(ours, deployed)
    assert deployed.name == ours.name
    assert (deployed.input_shape, deployed.output_shape) == (ours.input_shape, ours.output_shape)
    assert {layer.dtype for layer in deployed.layers} == {"float32"}


@pytest.mark.parametrize("name", SINCE)
def test_successors_of_ghostnet(name):
    """Of 72 pixels the attention pools 9 x 9 to 4 x 4: upsampling is to an odd size too."""
    model = randomize(short_network(name, input_shape=(72, 72, 3)))
    found = deploy(model)
    check_equal(model, found)
    assert not {"BatchNormalization", "Dropout"} & set(kinds(found))
    adds = [layer for layer in found.layers if isinstance(layer, keras.layers.Add)]
    assert len(adds) == 5  # the shortcuts
    convolutions = [layer.name for layer in found.layers if "_conv" in layer.name]
    assert "stage2_block1_ghost1_cheap_conv" in convolutions
    assert not [name for name in convolutions if "conv1" in name or "pointwise" in name]


def test_both_forms_of_ghostnetv3_are_one_graph():
    with short_networks():
        models = [GhostNetV3(0.25, deployed=deployed, **V3) for deployed in (False, True)]
        counts = [kinds(deploy(model)) for model in models]
    assert counts[0] == counts[1]


def test_nothing_of_ours_and_nothing_of_training_is_left(deployed):
    left = {"BatchNormalization", "Cropping2D", "Dropout", "Flatten", "Rescaling", "Reshape"}
    assert not left & set(kinds(deployed))
    assert all(type(part).__module__.startswith("keras.src.layers") for part in deployed.operations)
    gates = [part for part in deployed.layers if "sigmoid" in part.name]
    assert all(isinstance(part, keras.layers.ReLU) and part.max_value == 6 for part in gates)


def test_flattening_alone_is_bit_identical(ours):
    flat = for_tracing(deploy(ours, passes=()))
    x = images(ours)
    assert (outputs(flat, x) == outputs(ours, x)).all()
    assert flat.count_params() == ours.count_params()


@pytest.mark.parametrize("constructor", KERAS, ids=lambda constructor: constructor.__name__)
def test_models_of_keras(constructor):
    options = dict(classes=20, classifier_activation=None, input_shape=SHAPE)
    model = randomize(constructor(weights=None, **KERAS[constructor], **options))
    # Keras' Rescaling, in MobileNetV3's gates, rounds 1/6 to float32 in any precision.
    gates = constructor is applications.MobileNetV3Large
    found = deploy(model)
    check_equal(model, found, tolerance=1e-6 if gates else 1e-9)
    assert not {"BatchNormalization", "Dropout", "Flatten", "Reshape"} & set(kinds(found))


def test_mixed_precision_becomes_float32():
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        mixed = randomize(short_network("ghostnet_050"))
        found = deploy(mixed)
    finally:
        keras.config.set_dtype_policy(policy)
    model = short_network("ghostnet_050")
    model.set_weights(mixed.get_weights())
    assert {layer.compute_dtype for layer in found.layers[1:]} == {"float32"}
    assert error(model, for_tracing(found)) < 1e-5


def test_channels_first():
    keras.config.set_image_data_format("channels_first")
    try:
        # No map is as wide as it has channels: there a batch norm would add the bias.
        found = [deploy(short_network(name, input_shape=(3, 88, 88))) for name in NAMES]
    finally:
        keras.config.set_image_data_format("channels_last")
    for model in found:
        assert model.input_shape == (None, 3, 88, 88)
        assert not {"BatchNormalization", "Cropping2D", "Rescaling", "Dropout"} & set(kinds(model))


def test_the_file_loads_without_this_package(tmp_path):
    keras.utils.set_random_seed(0)  # with some weights, rounding alone is more than is allowed
    models = {name: randomize(short_network(name)) for name in NAMES}
    for name, model in models.items():
        deploy(model).save(tmp_path / f"{name}.keras")
        np.save(tmp_path / f"{name}.npy", images(model))
    code = """
import sys, keras, numpy as np
for name in sys.argv[1:]:
    outputs = keras.saving.load_model(f"{name}.keras")(np.load(f"{name}.npy"))
    np.save(f"{name}_outputs.npy", outputs)
sys.exit("keras_ghostnet" in sys.modules)
"""
    command = [sys.executable, "-c", code, *models]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert not done.returncode, done.stderr
    for name, model in models.items():
        expected = outputs(model, images(model))
        difference = np.load(tmp_path / f"{name}_outputs.npy") - expected
        assert np.abs(difference).max() < 1e-5 * expected.std()


def test_layers_are_named_by_their_place():
    model = short_network("ghostnet_050")
    names = [layer.name for layer in deploy(model).layers]
    assert len(set(names)) == len(names)
    assert {"stem_conv", "stage3_block1_ghost1_primary_conv", "stage3_block1_se_multiply"} < {
        *names
    }
    assert names[0] == model.layers[0].name


def test_the_model_is_left_as_it_is():
    model = short_network("ghostnet_050")
    model.compile("sgd", "mse")
    before = model.get_weights()
    deploy(model)
    assert all((a == b).all() for a, b in zip(before, model.get_weights(), strict=True))
    assert model.get_layer("stem_conv").output.shape == (None, 32, 32, 8)  # one call, one output
    assert model.compiled


@pytest.mark.parametrize("name", ["g_ghost_regnetx_002", "MobileNetV3Small"])
def test_no_shape_is_computed_at_run_time(name):
    if name == "MobileNetV3Small":
        model = applications.MobileNetV3Small(weights=None, input_shape=SHAPE)
    else:
        model = short_network(name)
    traced = for_tracing(deploy(model))
    # With an open batch size, which the converter cannot compute away.
    function = tf.function(lambda x: traced(x, training=False))
    function = function.get_concrete_function(tf.TensorSpec((None, *SHAPE)))
    with quiet():
        content = tf.lite.TFLiteConverter.from_concrete_functions([function]).convert()
    found = tflite.operators(content)
    assert not set(found) & {"SHAPE", "PACK", "STRIDED_SLICE", "SLICE", "SPLIT", "SPLIT_V"}


def test_an_unknown_pass():
    with pytest.raises(ValueError, match=r"no pass 'batchnorm'.*'batch_norms'"):
        deploy(short_network("ghostnet_050"), passes=["batchnorm"])
