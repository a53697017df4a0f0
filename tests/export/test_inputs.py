"""Models of 16 bits, and models that normalize pixels themselves, in every verb of the exports."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_ghostnet.export import export, predict, sidecar, verify
from keras_ghostnet.model_input import resolve_input
from keras_ghostnet.preprocessing import MEAN, STD
from keras_ghostnet.training import evaluate
from tests.export.command import FP32, INT8


@pytest.fixture(scope="module")
def photos(run_dir):
    return run_dir / "photos"


@pytest.fixture(scope="module")
def of_pixels(small):
    """The small network behind layers that normalize."""
    inputs = keras.Input((32, 32, 3))
    x = keras.layers.Rescaling(1 / 255)(inputs)
    x = keras.layers.Normalization(mean=MEAN, variance=np.square(STD))(x)
    return keras.Model(inputs, small(x), name="small")


@pytest.fixture(scope="module")
def expected(small, photos):
    """Probabilities of the network itself for the held-out photos."""
    return probabilities(predict(small, photos / "val"))


def probabilities(predictions):
    return np.array([[dict(p.classes)[name] for name in ("0", "1")] for p in predictions])


def test_evaluate_and_predict_normalize_once(of_pixels, small, photos, expected):
    assert resolve_input(of_pixels) == "pixels"
    assert evaluate(of_pixels, photos, crop=1.0).accuracy == 1
    said = evaluate(small, photos, crop=1.0, input="pixels")  # not normalized at all
    assert said.accuracy < 0.9
    np.testing.assert_allclose(
        probabilities(predict(of_pixels, photos / "val")), expected, atol=1e-5
    )


@pytest.fixture(scope="module")
def exports(of_pixels, photos, tmp_path_factory):
    folder = tmp_path_factory.mktemp("of_pixels")
    formats = ("tflite_fp32", "tflite_int8", "saved_model")
    export(of_pixels, folder, formats, data=photos, labels=("0", "1"), crop=0.875)
    return folder


@pytest.mark.parametrize("name", [FP32, INT8, "small/1"])
def test_its_artifacts_take_pixels(name, exports, photos, expected):
    content = sidecar.require(exports / name)
    assert content["source"]["input"] == "pixels"
    assert content["preprocessing"]["formula"] == "pixels, 0 to 255"
    assert content["preprocessing"]["normalization_in_artifact"]
    assert content["preprocessing"]["mean"] is None
    found = probabilities(predict(exports / name, photos / "val"))
    np.testing.assert_allclose(found, expected, atol=0.1 if name == INT8 else 1e-5)
    if name == INT8:
        (tensor,) = content["inputs"]
        assert (tensor["dtype"], tensor["zero_point"]) == ("int8", -128)
        assert tensor["scale"] == pytest.approx(1)


def test_they_are_verified_again(exports, photos):
    assert len(verify(exports, data=photos)) == 3


def test_a_saved_model_classifies_files_as_predict_does(exports, photos, expected):
    paths = sorted((photos / "val").rglob("*.png"))[::8]
    model = tf.saved_model.load(str(exports / "small" / "1"))
    answer = model.signatures["classify_bytes"](
        image_bytes=tf.constant([path.read_bytes() for path in paths])
    )
    scores = np.take_along_axis(
        answer["scores"].numpy(), np.argsort(answer["classes"].numpy(), axis=-1), axis=-1
    )
    np.testing.assert_allclose(scores, expected[::8], atol=1e-2)  # pixels are not rounded there


def test_bytes_are_taken_without_another_normalization(of_pixels, photos, expected, tmp_path):
    names = ("tflite_fp32", "tflite_int8")
    export(of_pixels, tmp_path, names, data=photos, labels=("0", "1"), fold_preprocessing=True)
    for name in (FP32, INT8):
        (tensor,) = sidecar.require(tmp_path / name)["inputs"]
        assert (tensor["dtype"], tensor["scale"], tensor["zero_point"]) == ("uint8", 1, 0)
        found = probabilities(predict(tmp_path / name, photos / "val"))
        np.testing.assert_allclose(found, expected, atol=0.1 if name == INT8 else 1e-5)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "float16"])
def test_models_of_16_bits_are_exported_as_float32(policy, small, photos, expected, tmp_path):
    reduced = keras.models.clone_model(
        small,
        clone_function=lambda layer: type(layer).from_config(
            {**layer.get_config(), "dtype": policy}
        ),
    )
    reduced.set_weights(small.get_weights())
    (result,) = export(reduced, tmp_path, "tflite_fp32", data=photos, labels=("0", "1"))
    assert result.verification.max_error < 1e-4
    saved = keras.models.load_model(tmp_path / "small.keras")
    assert {layer.compute_dtype for layer in saved._flatten_layers()} == {"float32"}
    # Weights of float16 are rounded; those of a mixed policy are the network's own.
    atol = 1e-5 if policy.startswith("mixed") else 1e-2
    np.testing.assert_allclose(probabilities(predict(reduced, photos / "val")), expected, atol=atol)
    assert evaluate(reduced, photos, crop=1.0).accuracy == 1
    verify(tmp_path, data=photos)
