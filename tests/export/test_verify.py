"""Verification catches what goes wrong in exports."""

import dataclasses

import keras
import numpy as np
import pytest

from keras_ghostnet.export import formats, preprocessing
from keras_ghostnet.export.artifacts import Subject, verify_artifact
from keras_ghostnet.export.graph import deploy, for_tracing
from keras_ghostnet.export.images import Images
from keras_ghostnet.export.verification import (
    MARGIN,
    SIGNIFICANCE,
    VerificationError,
    compare,
    verify,
    verify_outputs,
)
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
COUNTS = (20, 80)  # of images to verify on
INT8 = [fmt for fmt in formats.FORMATS if fmt.dtype == "int8"]


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
    verify_on = artifact(name, deployed, subject, tmp_path)
    for count in COUNTS:
        result = verify_on(count)
        assert result.agreement == 1
        assert result.max_error < (0.3 if name == "tflite_int8" else 1e-4)


@pytest.mark.parametrize(
    ("name", "fault"),
    [(name, fault) for name in FAULTED for fault in FAULTS]
    + [(name, "wrong padding of the stem") for name in LEAST_FAULTED],
)
def test_planted_faults_are_caught(name, fault, deployed, subject, tmp_path):
    verify_on = artifact(name, FAULTS[fault](deployed), subject, tmp_path)
    for count in COUNTS:
        with pytest.raises(VerificationError, match=f"On {count} held-out.* errors are everywhere"):
            verify_on(count)


def test_float_formats_have_one_tolerance():
    """So that faults planted in one of them are caught in all."""
    tolerances = {
        (fmt.max_error, fmt.max_typical_error, fmt.min_cosine, fmt.min_agreement)
        for fmt in map(formats.get_format, ("tflite_fp32", *LEAST_FAULTED))
    }
    assert len(tolerances) == 1


def artifact(name, model, subject, folder):
    """Exports a model; a function of a number of images that verifies the artifact on them."""
    fmt = formats.get_format(name)
    if formats.missing_packages(fmt):
        pytest.skip(f"{name} needs {formats.missing_packages(fmt)}")
    path = folder / f"small{fmt.suffix}"
    formats.write(model, fmt, path, normalize(subject.calibration.pixels))
    reference, sample = subject.reference(), subject.sample

    def verify_on(count):
        few = dataclasses.replace(sample, pixels=sample.pixels[:count])
        part = dataclasses.replace(subject, sample=few)
        return verify_artifact(path, fmt, part, reference[:count], folded=False)

    return verify_on


@pytest.fixture(scope="module")
def probable(small):
    """The network with the softmax that users get by default."""
    outputs = keras.layers.Softmax(name="softmax")(small.output)
    return keras.Model(small.input, outputs, name="small")


def test_a_failed_artifact_is_removed(probable, subject, tmp_path):
    images = normalize(subject.sample.pixels)
    reference = probable.predict(images, verbose=0)
    path = formats.export_model(same_padding_at_stride_2(probable), TFLITE, tmp_path)
    with pytest.raises(VerificationError, match=r"small_fp32\.tflite was removed"):
        verify(path, TFLITE, images, None, reference, activation="softmax")
    assert not path.exists()


def test_a_sound_softmax_export_passes(probable, subject, tmp_path):
    images = normalize(subject.sample.pixels)
    reference = probable.predict(images, verbose=0)
    path, labels = formats.export_model(probable, TFLITE, tmp_path), reference.argmax(axis=-1)
    result = verify(path, TFLITE, images, labels, reference, activation="softmax")
    assert result.agreement == result.accuracy == 1
    assert result.max_error < 1e-4
    assert path.exists()


def test_saturated_probabilities_hide_nothing():
    """Both say class 0 with certainty, but their logits are not the same."""
    reference = np.array([[1, 1e-12, 1e-9], [1, 1e-9, 1e-12]])
    outputs = np.array([[1, 1e-9, 1e-9], [1, 1e-9, 1e-12]])
    labels = np.zeros(2, int)
    assert compare(outputs, reference, labels, TFLITE, "softmax").max_error > 0.1
    assert compare(reference, reference, labels, TFLITE, "softmax").max_error == 0


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


@pytest.mark.parametrize(
    ("activation", "reference"),
    [("sigmoid", [0.9, 0.2, 0.6, 0.4]), ("linear", [2.0, -3.0, 0.4, -0.4])],
)
@pytest.mark.parametrize("name", ["tflite_fp32", "tflite_int8"])
def test_one_unit_is_two_classes(name, activation, reference):
    """The last image is on the other side, though the only output is always the largest."""
    reference = np.array(reference)[:, None]
    outputs = reference + np.array([[0], [0], [0], [0.5]])
    labels = np.array([1, 0, 0, 0])
    result = compare(outputs, reference, labels, formats.get_format(name), activation)
    assert result.agreement == 0.75
    assert result.accuracy == 0.5


def test_all_independent_labels_have_to_agree():
    reference = np.array([[0.9, 0.8, 0.1], [0.2, 0.7, 0.6]])
    outputs = np.array([[0.9, 0.8, 0.6], [0.1, 0.9, 0.6]])
    assert compare(outputs, reference, None, TFLITE, "sigmoid").agreement == 0.5
    # Of exclusive classes, the largest output counts: the same in both images.
    assert compare(outputs, reference, None, TFLITE, "softmax").agreement == 1


@pytest.mark.filterwarnings("ignore:invalid value")
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_outputs_that_are_not_finite_fail(value, tmp_path):
    path = tmp_path / "artifact"
    path.write_text("")
    reference = np.array([[1.0, -1.0], [-1.0, 1.0]])
    outputs = np.where(reference > 0, reference, value)
    with pytest.raises(VerificationError):
        verify(path, TFLITE, np.zeros((2, 8, 8, 3)), np.array([0, 1]), reference, lambda _: outputs)


def outputs_with_flips(count, flips, *, typical=0.02, margin=1.0, classes=10, seed=0):
    """Outputs and the Keras model's, of which some prefer another class by a margin, in sigma."""
    random = np.random.default_rng(seed)
    reference = random.normal(size=(count, classes))
    reference[:, 0] = np.sort(reference[:, 1:], axis=-1)[:, -1] + 2  # clear
    reference /= reference.std()
    outputs = reference + typical * random.normal(size=reference.shape)
    for row in range(flips):
        other = 1 + reference[row, 1:].argmax()
        reference[row, 0] = reference[row, other] + margin * reference.std()
        outputs[row, [0, other]] = reference[row, [other, 0]]
    return outputs, reference


@pytest.mark.parametrize("fmt", INT8, ids=lambda fmt: fmt.name)
def test_one_flip_of_few_images_is_no_fault(fmt):
    """As a sound int8 export has it: typical error 0.067, one class of 20 flips at 0.07."""
    outputs, reference = outputs_with_flips(20, 1, typical=0.067, margin=0.07)
    result = verify_outputs(outputs, reference, None, fmt)
    assert result.typical_error == pytest.approx(0.067, abs=0.01)
    assert 0.99 < result.cosine < 0.999
    assert (result.agreement, result.flips, result.close_flips) == (0.95, 0, 1)
    # Nor is one at a clear margin, which the allowed 3 % show in 20 images.
    outputs, reference = outputs_with_flips(20, 1, typical=0.067)
    assert verify_outputs(outputs, reference, None, fmt).flips == 1
    many = outputs_with_flips(20, 20, typical=0.04, margin=0.05)
    assert verify_outputs(*many, None, fmt).close_flips == 20


@pytest.mark.parametrize("fmt", INT8, ids=lambda fmt: fmt.name)
def test_flips_alone_are_a_fault_with_an_advice_of_its_own(fmt):
    """Many classes and images, so that the errors of a few outputs do not show."""
    outputs, reference = outputs_with_flips(100, 7, margin=0.7, classes=200)
    with pytest.raises(VerificationError, match="On 40 held-out and 60 training images") as caught:
        verify_outputs(outputs, reference, None, fmt, "40 held-out and 60 training images")
    assert caught.value.result.flips == 7
    advice = "train longer" if fmt.name == "tflite_int8_qat" else "--calibration"
    assert advice in str(caught.value)
    assert "padding" not in str(caught.value)


@pytest.mark.parametrize("fmt", INT8, ids=lambda fmt: fmt.name)
def test_large_errors_of_one_image_are_not_called_everywhere(fmt):
    reference = np.random.default_rng(0).normal(size=(300, 10))
    outputs = reference.copy()
    outputs[0] += 4  # enough for the cosine, and within the largest error that is allowed
    with pytest.raises(VerificationError, match="Most images are right, some are far off"):
        verify_outputs(outputs, reference, None, fmt)


@pytest.mark.parametrize(
    ("count", "rate", "power"),
    [(20, 0.03, None), (20, 0.3, 0.9), (100, 0.03, None), (100, 0.1, 0.8), (400, 0.08, 0.95)],
)
def test_the_power_of_the_count(count, rate, power):
    """Of simulated artifacts; one with the allowed rate, or less, is refused in 5 % at most."""
    fmt, trials = formats.get_format("tflite_int8"), 400
    flips = np.random.default_rng(count).binomial(count, rate, size=trials)
    p_values = {
        number: compare(*outputs_with_flips(count, number), None, fmt).p_value
        for number in np.unique(flips)
    }
    refused = np.mean([p_values[number] < SIGNIFICANCE for number in flips])
    if power is None:
        assert refused <= SIGNIFICANCE + 2 * np.sqrt(SIGNIFICANCE / trials)
    else:
        assert refused >= power


def test_flips_count_from_the_margin_on():
    fmt = formats.get_format("tflite_int8")
    limit = MARGIN * fmt.max_typical_error
    for margin, counted in ((0.95 * limit, 0), (1.05 * limit, 5)):
        result = compare(*outputs_with_flips(400, 5, margin=margin), None, fmt)
        assert (result.flips, result.close_flips) == (counted, 5 - counted)
    assert compare(*outputs_with_flips(20, 0), None, fmt).p_value == 1
    # 1 - 0.97^20 - 20 * 0.03 * 0.97^19: the chance of two or more.
    result = compare(*outputs_with_flips(20, 2), None, fmt)
    assert result.p_value == pytest.approx(1 - 0.97**20 - 20 * 0.03 * 0.97**19)


def test_accuracy_is_that_of_held_out_images():
    outputs, reference = outputs_with_flips(100, 0)
    assert compare(outputs, reference, np.array([0, 0, 0, 1]), INT8[0]).accuracy == 0.75


def test_another_number_of_classes_fails():
    with pytest.raises(VerificationError, match=r"\(2, 3\)"):
        compare(np.zeros((2, 3)), np.zeros((2, 2)), np.zeros(2, int), TFLITE)
