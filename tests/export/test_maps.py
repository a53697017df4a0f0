"""Classifiers of every pixel: exported, verified by pixels, refused where one class is meant."""

import keras
import numpy as np
import pytest

from keras_ghostnet import layers
from keras_ghostnet.benchmark.networks.random_weights import settle_batch_norms
from keras_ghostnet.export import ArtifactError, export, predict, sidecar, verify
from keras_ghostnet.export.formats import get_format
from keras_ghostnet.export.quantization.run import quantize_run
from keras_ghostnet.export.verification import VerificationError, compare, verify_outputs
from keras_ghostnet.preprocessing import normalize
from keras_ghostnet.training.data.label_maps import IGNORED
from tests.export.command import ghostnet
from tests.export.conftest import patches

FORMATS = ("tflite_fp32", "tflite_int8")
OTHERS = (
    "onnx_fp32",
    "onnx_int8",
    "openvino_fp32",
    "openvino_int8",
    "ncnn_fp32",
    "mnn_fp32",
    *("tflite_fp16", "saved_model"),
)
TFLITE = get_format("tflite_fp32")
SHAPE = (32, 48, 3)


@pytest.fixture(scope="module")
def segmenter():
    """A network of a few layers, a dilated block among them, that sees three classes of pixels."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input(SHAPE)
    x = keras.layers.Conv2D(8, 3, strides=2, padding="same", use_bias=False, name="stem")(inputs)
    x = keras.layers.BatchNormalization(name="stem_bn")(x)
    x = layers.GhostBottleneck(16, 12, strides=2, se_ratio=0.25, name="block1")(x)
    x = layers.GhostBottleneck(16, 16, strides=2, dilate=True, name="block2")(x)
    x = layers.GhostBottleneck(16, 16, input_dilation=2, name="block3")(x)
    x = keras.layers.Conv2D(3, 1, name="logits")(x)
    x = keras.layers.UpSampling2D(4, interpolation="bilinear", name="maps")(x)
    model = keras.Model(inputs, x, name="segmenter")
    return settle_batch_norms(model, normalize(pixels()[:32]), momentum=0.004)


def pixels():
    return np.concatenate([patches(80, 32), patches(80, 32)[:, :, :16]], axis=2)


@pytest.fixture(scope="module")
def labeled(segmenter):
    """Pixels, and the classes that the network sees in them, one row of each changed."""
    classes = segmenter.predict(normalize(pixels()), verbose=0).argmax(axis=-1)
    classes[:, 0] = (classes[:, 0] + 1) % 3
    return pixels(), classes


@pytest.fixture(scope="module")
def exported(segmenter, labeled, tmp_path_factory):
    folder = tmp_path_factory.mktemp("maps")
    return folder, export(segmenter, folder, FORMATS, data=labeled, labels=("sky", "sea", "land"))


def test_figures_are_of_pixels(exported):
    """All but the changed row are right: a 32nd of the pixels."""
    folder, results = exported
    for result in results:
        assert result.verification.accuracy == pytest.approx(31 / 32, abs=0.05)
        assert 0.8 < result.verification.mean_iou < 0.97
        assert result.verification.agreement > (0.99 if "int8" not in result.format else 0.95)
    content = sidecar.require(folder / "segmenter_int8.tflite")
    assert content["outputs"][0]["shape"] == [1, *SHAPE]
    assert content["labels"] == ["sky", "sea", "land"]
    assert content["verification"]["mean_iou"] > 0.8


def test_they_are_verified_again(exported, labeled):
    folder, results = exported
    again = verify(folder, data=labeled)
    assert {result.format for result in again} == {result.format for result in results}


@pytest.mark.thorough
def test_the_other_formats(segmenter, labeled, tmp_path):
    """`test_figures_are_of_pixels` holds the usual ones."""
    results = export(segmenter, tmp_path, OTHERS, data=labeled)
    assert len(results) == len(verify(tmp_path, data=labeled)) == len(OTHERS)


def test_the_command_with_images_without_classes(segmenter, labeled, tmp_path):
    segmenter.save(tmp_path / "model.keras")
    np.save(tmp_path / "images.npy", labeled[0])
    arguments = ("--calibration", tmp_path / "images.npy", "--out", tmp_path / "out")
    assert ghostnet("export", tmp_path / "model.keras", "--formats", "tflite_fp32", *arguments) == 0
    assert ghostnet("verify", tmp_path / "out") == 0
    content = sidecar.require(tmp_path / "out" / "segmenter_fp32.tflite")
    assert content["verification"]["accuracy"] is content["verification"]["mean_iou"] is None


def test_mean_iou_is_that_of_keras():
    random = np.random.default_rng(0)
    outputs, labels = random.normal(size=(2, 5, 6, 4)), random.integers(0, 4, (2, 5, 6))
    metric = keras.metrics.MeanIoU(4)
    metric.update_state(labels, outputs.argmax(axis=-1))
    found = compare(outputs, outputs, labels, TFLITE)
    assert found.mean_iou == pytest.approx(float(metric.result()))
    assert found.accuracy == np.mean(outputs.argmax(axis=-1) == labels)
    assert (found.flips, found.agreement) == (0, 1)
    metric = keras.metrics.MeanIoU(4, ignore_class=IGNORED)
    labels[:, 1:3] = IGNORED
    metric.update_state(labels, outputs.argmax(axis=-1))
    assert compare(outputs, outputs, labels, TFLITE).mean_iou == pytest.approx(
        float(metric.result())
    )


def test_maps_that_are_shifted_are_refused(segmenter):
    outputs = segmenter.predict(normalize(pixels()[:8]), verbose=0)
    with pytest.raises(VerificationError, match=r"another class for \d+ pixels"):
        verify_outputs(np.roll(outputs, 1, axis=2), outputs, None, TFLITE)


def test_errors_are_an_image_s_own():
    """One image that is all wrong does not change the typical one."""
    outputs = np.random.default_rng(0).normal(size=(5, 4, 4, 3))
    wrong = outputs.copy()
    wrong[0] += 1
    assert compare(wrong, outputs, None, TFLITE).typical_error == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict(formats="web"), "web is for models of one class an image. segmenter outputs maps"),
        (dict(formats="tflite_int8_qat"), "labeled training images"),
        (dict(data="digits"), r"outputs maps of classes. .*digits.* has one class an image"),
        (dict(data=(pixels(), np.zeros(80, int))), r"must be integers \(80, 32, 48\)"),
        (dict(data=(pixels(), np.full((80, 32, 48), 3))), "0 to 2, or 255 for none. Found 3 to 3"),
    ],
)
def test_bad_input(segmenter, labeled, tmp_path, change, message):
    arguments = {"formats": "tflite_fp32", "data": labeled, **change}
    with pytest.raises((ValueError, ArtifactError), match=message):
        export(segmenter, tmp_path, **arguments)
    assert not list(tmp_path.glob("*.tflite"))


def test_one_output_of_several_is_to_be_chosen(segmenter, labeled, tmp_path):
    several = keras.Model(segmenter.input, {"a": segmenter.output, "b": segmenter.output})
    with pytest.raises(ValueError, match=r"Of several outputs, export one: `keras.Model\("):
        export(several, tmp_path, "tflite_fp32", data=labeled)


def test_a_source_of_classes_trains_no_maps(segmenter, tmp_path):
    segmenter.save(tmp_path / "model.keras")
    with pytest.raises(ValueError, match=r"outputs maps of classes. .*digits.* has one class an"):
        quantize_run(tmp_path / "model.keras", "digits")


def test_no_class_is_predicted_for_a_picture(exported, segmenter, tmp_path):
    keras.utils.save_img(tmp_path / "a.png", pixels()[0])
    for model in (segmenter, exported[0] / "segmenter_fp32.tflite"):
        with pytest.raises(ValueError, match=r"every pixel|needs a classifier"):
            list(predict(model, tmp_path / "a.png"))
