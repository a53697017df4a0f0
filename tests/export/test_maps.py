"""Classifiers of every pixel: exported, verified by pixels, their masks written."""

import pathlib

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_ghostnet import layers
from keras_ghostnet.benchmark.networks.random_weights import settle_batch_norms
from keras_ghostnet.export import (
    ArtifactError,
    export,
    open_teacher,
    predict,
    sidecar,
    verify,
)
from keras_ghostnet.export.formats import get_format
from keras_ghostnet.export.prediction_report import write_masks
from keras_ghostnet.export.quantization.run import quantize_run
from keras_ghostnet.export.verification import VerificationError, compare, verify_outputs
from keras_ghostnet.preprocessing import normalize
from keras_ghostnet.training.data import decoding
from keras_ghostnet.training.data.images import center_crop, center_crop_map
from keras_ghostnet.training.data.label_maps import IGNORED, decode_map
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


def test_a_mask_lies_on_the_picture(segmenter):
    """What the network sees of one twice as large, and none of what is left and right of it."""
    seen = pixels()[:6]
    large = np.pad(seen.repeat(2, 1).repeat(2, 2), ((0, 0), (0, 0), (8, 12), (0, 0)))
    for prediction in predict(segmenter, large):
        cropped = np.rint(center_crop(tf.constant(large[prediction.image]), SHAPE[:2]))
        expected = segmenter.predict(normalize(cropped[None]), verbose=0)[0].argmax(axis=-1)
        np.testing.assert_array_equal(prediction.mask.seen, expected)
        mask = prediction.mask.classes
        assert mask.shape == large.shape[1:3]
        assert (mask[:3] == IGNORED).all()  # the central 7/8 are seen
        assert (mask[:, :8] == IGNORED).all()
        again = center_crop_map(tf.constant(mask[..., None]), SHAPE[:2])
        np.testing.assert_array_equal(again[..., 0], expected)
        for label, fraction in prediction.classes:
            assert fraction == pytest.approx(np.mean(expected == int(label)))
        assert sum(fraction for _, fraction in prediction.classes) == pytest.approx(1)


def test_the_command_writes_masks(exported, segmenter, tmp_path, capsys):
    for name in ("a.png", "b/a.png", "b/c.bmp", "b/c.png"):
        (tmp_path / "photos" / name).parent.mkdir(parents=True, exist_ok=True)
        keras.utils.save_img(tmp_path / "photos" / name, pixels()[len(name)])
    artifact, out = exported[0] / "segmenter_fp32.tflite", tmp_path / "out"
    words = (tmp_path / "photos", "--masks", out, "--out", tmp_path / "table.csv")
    assert ghostnet("predict", artifact, *words) == 0
    printed = capsys.readouterr().out
    assert "sky" in printed
    assert "pixels" in printed
    assert (tmp_path / "table.csv").read_text().startswith("image,folder's class,class 1,pixels 1")
    names = ("a.png", "b/a.png", "b/c.bmp.png", "b/c.png.png")
    assert sorted(path for path in out.rglob("*") if path.is_file()) == [out / n for n in names]
    for name, each in zip(names, predict(artifact, tmp_path / "photos"), strict=True):
        written = decode_map((out / name).read_bytes())
        np.testing.assert_array_equal(written, each.mask.classes)
        (same,) = predict(segmenter, decoding.decode(pathlib.Path(each.image).read_bytes()))
        assert np.mean(same.mask.classes == written) > 0.99


def test_what_has_no_masks(small, segmenter, exported, tmp_path):
    half = keras.Model(segmenter.input, segmenter.get_layer("logits").output)
    with pytest.raises(ValueError, match=r"maps are as large as their images, \(32, 48\)"):
        predict(half, pixels()[:1])
    with pytest.raises(ValueError, match=r"classifies every pixel\. Distill from the model"):
        open_teacher(exported[0] / "segmenter_fp32.tflite")
    with pytest.raises(ValueError, match="classifies whole images: it has no masks"):
        write_masks(tmp_path, predict(small, patches(1, 32)))
