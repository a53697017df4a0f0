"""Verification catches what goes wrong in exports."""

import keras
import numpy as np
import pytest

from keras_ghostnet.export import formats, preprocessing
from keras_ghostnet.export.artifacts import Subject, verify_artifact
from keras_ghostnet.export.graph import deploy, for_tracing
from keras_ghostnet.export.images import Images
from keras_ghostnet.export.verification import VerificationError, compare, verify
from keras_ghostnet.preprocessing import normalize
from tests.export.conftest import patches

TFLITE = formats.get_format("tflite_fp32")


def same_padding_at_stride_2(model):
    """The same network, padded as Keras' "same" pads: nothing on the top and on the left."""
    clone = keras.models.clone_model(model)
    clone.set_weights(model.get_weights())
    for layer in clone._flatten_layers():
        if isinstance(layer, keras.layers.ZeroPadding2D):
            (rows, _), (columns, _) = layer.padding
            layer.padding = ((rows - 1, rows + 1), (columns - 1, columns + 1))
    return clone


def bgr(model):
    """The network behind a convolution that turns the order of the channels."""
    layer = keras.layers.Conv2D(3, 1, use_bias=False, name="bgr")
    inputs = keras.Input(model.input_shape[1:])
    turned = keras.Model(inputs, model(layer(inputs)), name="bgr")
    layer.set_weights([np.eye(3)[None, None, ::-1]])
    return turned


def same_padding_of_the_stem(model):
    """The same for the first convolution alone: the least that it can be."""
    clone = same_padding_at_stride_2(model)
    for layer, sound in zip(clone.layers, model.layers, strict=True):
        if isinstance(layer, keras.layers.ZeroPadding2D) and layer.name != "pad":
            layer.padding = sound.padding
    return clone


FAULTS = {
    "wrong padding": same_padding_at_stride_2,
    "wrong padding of the stem": same_padding_of_the_stem,
    "BGR": bgr,
    "normalized twice": preprocessing.fold,
}
# Every fault is planted before the conversion, so one format of each tolerance shows them all, and
# the others the least of them.
FAULTED, LEAST_FAULTED = ("tflite_fp32", "tflite_int8"), ("saved_model", "onnx_fp32")


@pytest.fixture(scope="module")
def subject(small):
    pixels = patches(160, 32)
    outputs = small.predict(normalize(pixels), verbose=0)
    margin = np.abs(outputs[:, 1] - outputs[:, 0])
    clear = margin > np.median(margin)  # as a trained network would be of most images
    held_out = Images("patches", pixels[clear])
    return Subject(small, ("ant", "bee"), 1.0, held_out, Images("patches", pixels))


@pytest.fixture(scope="module")
def deployed(small):
    return for_tracing(deploy(small))


@pytest.mark.parametrize("name", [*FAULTED, *LEAST_FAULTED])
def test_sound_artifacts_pass(name, deployed, subject, tmp_path):
    result = verified(name, deployed, subject, tmp_path)
    assert result.agreement == 1
    assert result.max_error < (0.3 if name == "tflite_int8" else 1e-4)


@pytest.mark.parametrize(
    ("name", "fault"),
    [(name, fault) for name in FAULTED for fault in FAULTS]
    + [(name, "wrong padding of the stem") for name in LEAST_FAULTED],
)
def test_planted_faults_are_caught(name, fault, deployed, subject, tmp_path):
    with pytest.raises(VerificationError, match="does not compute what the Keras model computes"):
        verified(name, FAULTS[fault](deployed), subject, tmp_path)


def test_float_formats_have_one_tolerance():
    """So that faults planted in one of them are caught in all."""
    tolerances = {
        (fmt.max_error, fmt.max_typical_error, fmt.min_cosine, fmt.min_agreement)
        for fmt in map(formats.get_format, ("tflite_fp32", *LEAST_FAULTED))
    }
    assert len(tolerances) == 1


def verified(name, model, subject, folder):
    """The `Verification` of a model's artifact."""
    fmt = formats.get_format(name)
    if formats.missing_packages(fmt):
        pytest.skip(f"{name} needs {formats.missing_packages(fmt)}")
    path = folder / f"small{fmt.suffix}"
    formats.write(model, fmt, path, subject.calibration.normalized)
    return verify_artifact(path, fmt, subject, subject.reference(), folded=False)


@pytest.fixture(scope="module")
def probable(small):
    """The network with the softmax that users get by default."""
    outputs = keras.layers.Softmax(name="softmax")(small.output)
    return keras.Model(small.input, outputs, name="small")


def test_a_failed_artifact_is_removed(probable, subject, tmp_path):
    images = subject.held_out.normalized
    reference = probable.predict(images, verbose=0)
    path = formats.export_model(same_padding_at_stride_2(probable), TFLITE, tmp_path)
    with pytest.raises(VerificationError, match=r"small_fp32\.tflite was removed"):
        verify(path, TFLITE, images, None, reference)
    assert not path.exists()


def test_a_sound_softmax_export_passes(probable, subject, tmp_path):
    images = subject.held_out.normalized
    reference = probable.predict(images, verbose=0)
    path = formats.export_model(probable, TFLITE, tmp_path)
    result = verify(path, TFLITE, images, reference.argmax(axis=-1), reference)
    assert result.agreement == result.accuracy == 1
    assert result.max_error < 1e-4
    assert path.exists()


def test_saturated_probabilities_hide_nothing():
    """Both say class 0 with certainty, but their logits are not the same."""
    reference = np.array([[1, 1e-12, 1e-9], [1, 1e-9, 1e-12]])
    outputs = np.array([[1, 1e-9, 1e-9], [1, 1e-9, 1e-12]])
    labels = np.zeros(2, int)
    assert compare(outputs, reference, labels, TFLITE).max_error > 0.1
    assert compare(reference, reference, labels, TFLITE).max_error == 0


def test_figures():
    reference = np.array([[2.0, -2.0], [-2.0, 2.0], [2.0, -2.0], [-2.0, 2.0]])
    outputs = reference + np.array([[1.0, 0], [0, 0], [-5, 0], [0, 0]])
    result = compare(outputs, reference, np.array([0, 0, 0, 1]), TFLITE)
    assert result.max_error == 5 / 2  # the standard deviation is 2
    assert result.typical_error == pytest.approx(np.sqrt(1 / 2) / 2 / 2)  # of 0, 0, 0.35, 1.77
    assert result.agreement == 0.75
    assert result.accuracy == 0.5
    assert 0 < result.cosine < 1
    assert compare(outputs, reference, None, TFLITE).accuracy is None


@pytest.mark.filterwarnings("ignore:invalid value")
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_outputs_that_are_not_finite_fail(value, tmp_path):
    path = tmp_path / "artifact"
    path.write_text("")
    reference = np.array([[1.0, -1.0], [-1.0, 1.0]])
    outputs = np.where(reference > 0, reference, value)
    with pytest.raises(VerificationError):
        verify(path, TFLITE, np.zeros((2, 8, 8, 3)), np.array([0, 1]), reference, lambda _: outputs)


def test_another_number_of_classes_fails():
    with pytest.raises(VerificationError, match=r"\(2, 3\)"):
        compare(np.zeros((2, 3)), np.zeros((2, 2)), np.zeros(2, int), TFLITE)
