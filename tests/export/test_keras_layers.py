"""Every layer of Keras is exported right or refused by name, in every format."""

import re

import keras
import numpy as np
import pytest

from keras_ghostnet.export import formats
from keras_ghostnet.export.graph import deploy, for_tracing
from keras_ghostnet.export.graph.refusals import NotDeployableError
from keras_ghostnet.export.verification import verify_outputs
from tests.export import keras_layers
from tests.export.keras_layers import REFUSED, SAMPLES, SHAPE, UNDEPLOYABLE

FLOAT = ("saved_model", "onnx_fp32", "tflite_fp32")
# Of each cause one, for every run of the tests: the walk over all is in `make test-thorough`.
TAKEN = ("Cropping2D", "GRU", "LayerNormalization", "Normalization of rows", "Pipeline",
    "RandomHue", "activation celu", "activation gelu")  # fmt: skip
BY_NAME = {
    ("saved_model", "Lambda"): "it runs code",
    ("onnx_fp32", "Discretization"): "ONNX has no Bucketize",
    ("tflite_fp32", "GRU"): "no delegate of TFLite runs loops",
    ("tflite_fp32", "TimeDistributed"): "computes shapes at run time",
    ("tflite_fp32", "AveragePooling3D"): "TFLite has no AvgPool3D",
    ("tflite_fp32", "ELU"): "expected all in one: GREATER, SELECT",
}


def test_every_layer_has_a_sample():
    kinds = {kind for kind in vars(keras.layers).values() if isinstance(kind, type)}
    names = {*SAMPLES, *keras_layers.NO_SAMPLE}
    covered = {kind for name, kind in vars(keras.layers).items() if name in names}
    missing = sorted(kind.__name__ for kind in kinds - covered)
    assert not missing, f"add samples to tests/export/keras_layers.py: {missing}"


def settled(model):
    """With weights of which none hides a fault."""
    random = np.random.default_rng(0)
    for weight in model.weights:
        if weight.name in ("beta", "bias"):
            weight.assign(random.normal(0, 0.3, weight.shape))
        elif weight.name == "gamma":
            weight.assign(random.uniform(0.5, 1.5, weight.shape))
    return model


@pytest.fixture(scope="module")
def images():
    random = np.random.default_rng(1)
    colors = random.normal(size=(8, 1, 1, 3))
    return (colors + 0.5 * random.normal(size=(8, *SHAPE))).clip(-2, 2).astype("float32")


def run(model, name, images, folder):
    """What an artifact of a model outputs."""
    fmt = formats.get_format(name)
    path = folder / f"model{fmt.suffix}"
    deployed = for_tracing(deploy(model))
    formats.write(deployed, fmt, path, images if fmt.is_calibrated else None)
    return formats.load(path, fmt)(images)


@pytest.mark.parametrize("name", FLOAT)
def test_layers_that_a_format_takes(name, images, tmp_path):
    """In one network, of which every layer makes an output of its own."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input(SHAPE)
    taken = [sample for sample in TAKEN if sample not in REFUSED[name]]
    heads = [keras.layers.Dense(1)(keras_layers.features(sample, inputs)) for sample in taken]
    model = settled(keras.Model(inputs, keras.layers.Concatenate()(heads), name="net"))
    expected = np.asarray(model(images, training=False))
    errors = np.abs(run(model, name, images, tmp_path) - expected).max(axis=0)
    assert not {layer: error for layer, error in zip(taken, errors, strict=True) if error > 1e-4}


@pytest.mark.parametrize(("name", "sample"), BY_NAME)
def test_a_layer_that_is_refused(name, sample, images, tmp_path):
    with pytest.raises(NotDeployableError, match=BY_NAME[name, sample]) as error:
        run(classifier(sample), name, images, tmp_path)
    assert re.match(rf"Layer '\w+' \({sample}\) cannot be .*\. [^\n]*$", str(error.value))


@pytest.mark.parametrize("sample", sorted(SAMPLES))
@pytest.mark.parametrize("name", REFUSED)
def test_every_layer(name, sample, images, tmp_path):
    model = classifier(sample)
    if sample not in UNDEPLOYABLE | REFUSED[name]:
        expected = np.asarray(model(images, training=False))
        verify_outputs(run(model, name, images, tmp_path), expected, None, formats.get_format(name))
        return
    with pytest.raises(NotDeployableError) as error:
        run(model, name, images, tmp_path)
    text = str(error.value)
    assert len(text.splitlines()) == 1
    # An activation may be a layer of its own in the deployment graph.
    kinds = {type(layer).__name__ for layer in model.operations} | {"Activation", "ReLU"}
    assert re.match(r"(Layer|One of the operations) '", text)
    assert any(f"({kind})" in text for kind in kinds)


def classifier(sample):
    """A network with a layer of `SAMPLES`."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input(SHAPE)
    outputs = keras.layers.Dense(3, name="predictions")(keras_layers.features(sample, inputs))
    return settled(keras.Model(inputs, outputs, name="net"))
