"""Quantization-aware training of a small network, from Keras 3 to int8."""

import io
import os

import keras
import numpy as np
import pytest
from rich.console import Console

from keras_ghostnet.export import tflite
from keras_ghostnet.export.graph import deploy
from keras_ghostnet.export.quantization import dependencies, quantize_aware, to_tf_keras
from keras_ghostnet.export.quantization.quantize_aware import convert, measure
from tests.export.quantization.conftest import CLASSES, SIZE, accuracy, batches, network


@pytest.fixture(scope="module")
def quantized(problem):
    model, training, _ = problem
    return quantize_aware(model, batches(*training), epochs=1, distillation=1.0)


def test_accuracy_is_kept(problem, quantized, tmp_path):
    model, _, (images, labels) = problem
    expected = model.predict(images, verbose=0)
    outputs = tflite.load(quantized.save(tmp_path / "small.tflite"))(images)
    assert accuracy(expected, labels) > 0.95
    assert accuracy(outputs, labels) >= accuracy(expected, labels) - 0.01
    assert np.mean((outputs - expected) ** 2) ** 0.5 < 0.1 * expected.std()


def test_every_layer_is_int8(quantized):
    operators = tflite.operators(quantized.content)
    assert operators["CONV_2D"] == 6  # the last is the dense layer behind Flatten
    assert operators["DEPTHWISE_CONV_2D"] == 2  # one is the gate's factor 1/6
    assert not {"QUANTIZE", "DEQUANTIZE", "CUSTOM"} & set(operators)
    tflite.check(quantized.content, "int8")


def test_fake_quantization_is_what_the_file_computes(problem, tmp_path):
    """Within a few steps: a padding of another size or a range too many would show."""
    from keras_ghostnet.export.quantization.fake_quantization import FakeQuantized

    model, (images, _), _ = problem
    quantized = FakeQuantized(to_tf_keras(deploy(model)))
    measure(quantized, np.split(images[:256], 4))
    path = tmp_path / "small.tflite"
    path.write_bytes(convert(quantized, "int8"))
    runner = tflite.load(path)
    steps = np.abs(runner(images[:64]) - quantized(images[:64])) / runner.output["quantization"][0]
    assert np.median(steps) < 1.5
    assert steps.max() < 8


def test_ranges_are_those_of_the_float_model(problem):
    """Of all batches, not of the first or of the last; what is concatenated shares them."""
    from keras_ghostnet.export.quantization.fake_quantization import FakeQuantized

    model, (images, _), _ = problem
    deployed = deploy(model)
    quantized = FakeQuantized(to_tf_keras(deployed))
    measured = images[:96] * np.repeat([1, 3, 2], 32)[:, None, None, None].astype("float32")
    assert measure(quantized, np.split(measured, 3)) == 96
    assert ends(quantized.entry) == pytest.approx([measured.min(), measured.max()])
    joint = next(x for x in deployed.layers if isinstance(x, keras.layers.Concatenate))
    values = keras.Model(deployed.input, joint.output).predict(measured, verbose=0)
    assert ends(quantized.body.get_layer(joint.name)) == pytest.approx([0, values.max()], rel=1e-4)


def ends(layer):
    """The ends of the range of a layer's outputs."""
    variables = {end: x for x in layer.variables for end in ("low", "high") if end in x.name}
    return [float(variables[end]) for end in ("low", "high")]


def test_uint8_and_softmax_and_dictionaries(problem, tmp_path):
    _, (images, labels), _ = problem
    keras.utils.set_random_seed(0)
    model = network(activation="softmax")
    data = [{"image": images[:32], "label": labels[:32], "weight": np.ones(32)}]
    quantized = quantize_aware(model, data, steps=2, io="uint8")
    runner = tflite.load(quantized.save(tmp_path / "small.tflite"))
    assert runner.input["dtype"] == runner.output["dtype"] == np.uint8
    assert runner.output["quantization"] == (1 / 256, 0)
    np.testing.assert_allclose(runner(images[:8]).sum(axis=-1), 1, atol=0.02)
    assert len(quantized.history) == 2


def test_it_tells_how_far_it_is_and_nothing_else(problem, capfd):
    model, (images, labels), _ = problem
    text = io.StringIO()
    quantize_aware(model, batches(images[:64], labels[:64]), epochs=1, console=Console(file=text))
    assert "epoch 1/1" in text.getvalue()
    assert capfd.readouterr() == ("", "")


def test_what_does_not_fit_is_told_at_once(problem):
    model, (images, labels), _ = problem
    good = batches(images[:64], labels[:64])
    with pytest.raises(ValueError, match="`io` must be one of"):
        quantize_aware(model, good, io="float32")
    with pytest.raises(ValueError, match=r"Labels must be 0 to 3.* Found 0 to 9"):
        quantize_aware(model, [(images[:10], np.arange(10))])
    with pytest.raises(ValueError, match="Labels must be integers"):
        quantize_aware(model, [(images[:10], labels[:10] + 0.5)])
    with pytest.raises(ValueError, match=r"takes images \(n, 16, 16, 3\).*\(10, 8, 16, 3\)"):
        quantize_aware(model, [(images[:10, :8], labels[:10])])
    with pytest.raises(ValueError, match="holds no batches"):
        quantize_aware(model, [])
    with pytest.raises(TypeError, match="again and again"):
        quantize_aware(model, iter(good))
    with pytest.raises(ValueError, match="has no length"):
        quantize_aware(model, Endless())
    with pytest.raises(ValueError, match="no graph of layers"):
        quantize_aware(keras.Sequential([keras.layers.Dense(2)]), good)


class Endless:
    def __iter__(self):
        while True:
            yield np.zeros((2, SIZE, SIZE, 3)), np.zeros(2, int)


def test_values_that_are_not_finite(problem):
    model, (images, labels), _ = problem
    with pytest.raises(ValueError, match="images has values that are not finite"):
        quantize_aware(model, [(np.full_like(images[:8], np.nan), labels[:8])], epochs=1)
    with pytest.raises(FloatingPointError, match=r"The loss is (nan|inf) in step"):
        quantize_aware(model, batches(images[:64], labels[:64], 8), learning_rate=1e38)
    broken = network()
    broken.layers[2].kernel.assign(np.full(broken.layers[2].kernel.shape, np.nan))
    with pytest.raises(ValueError, match="kernel has values that are not finite"):
        quantize_aware(broken, [(images[:8], labels[:8])])


def test_layers_without_an_int8_form_are_named():
    inputs = keras.Input((SIZE, SIZE, 3))
    x = keras.layers.GroupNormalization(3, name="groups")(inputs)
    x = keras.layers.GlobalAveragePooling2D()(x)
    model = keras.Model(inputs, keras.layers.Dense(CLASSES)(x))
    data = [(np.zeros((2, SIZE, SIZE, 3)), np.zeros(2, int))]
    with pytest.raises(ValueError, match="GroupNormalization 'groups' has no rule for int8"):
        quantize_aware(model, data)


def test_a_missing_package_is_named(monkeypatch, problem):
    monkeypatch.setattr(dependencies, "PACKAGES", ("tf_keras", "no_such_package"))
    with pytest.raises(ImportError, match=r'no_such_package.*"keras_ghostnet\[quantize\]"'):
        quantize_aware(problem[0], [])


def test_the_process_keeps_keras_3(quantized):
    import tensorflow as tf

    assert "TF_USE_LEGACY_KERAS" not in os.environ  # TFMOT sets it
    assert tf.keras.Model is keras.Model


def test_classifiers_of_every_pixel(tmp_path):
    keras.utils.set_random_seed(0)
    inputs = keras.Input((SIZE, SIZE, 3))
    x = keras.layers.Conv2D(8, 3, strides=2, padding="same", activation="relu")(inputs)
    x = keras.layers.DepthwiseConv2D(3, padding="same", dilation_rate=2)(x)
    x = keras.layers.UpSampling2D(2, interpolation="bilinear")(keras.layers.Conv2D(CLASSES, 1)(x))
    model = keras.Model(inputs, x, name="maps")
    images = np.random.default_rng(0).normal(size=(64, SIZE, SIZE, 3)).astype("float32")
    expected = model.predict(images, verbose=0)
    data = batches(images, expected.argmax(axis=-1), 16)
    quantized = quantize_aware(model, data, epochs=2, distillation=0.5)
    assert quantized.history[-1]["accuracy"] > 0.9
    outputs = tflite.load(quantized.save(tmp_path / "maps.tflite"))(images)
    assert np.mean((outputs - expected) ** 2) ** 0.5 < 0.1 * expected.std()
    with pytest.raises(ValueError, match=r"integers \(n, 16, 16\), or"):
        quantize_aware(model, batches(images, np.zeros(64, int)))
