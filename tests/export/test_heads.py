"""Classifiers that end in probabilities or logits, of classes or labels, in every format."""

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from keras_ghostnet.export import export, formats, sidecar, tflite
from keras_ghostnet.export.graph import deploy, for_tracing
from keras_ghostnet.export.graph.lowering.targets import TARGETS
from keras_ghostnet.export.images import center_crop
from keras_ghostnet.export.prediction import predict
from keras_ghostnet.export.quantization import quantize_aware
from keras_ghostnet.preprocessing import normalize, to_pixels
from keras_ghostnet.weights.catalog import Transform
from tests.export import heads

INT8 = formats.get_format("tflite_int8")
IMAGES = heads.images()


@pytest.fixture(scope="module")
def softmax():
    model = heads.network("dense")
    return for_tracing(deploy(model)), model.predict(IMAGES, verbose=0)


@pytest.mark.parametrize(("io", "folded"), [("int8", False), ("uint8", False), ("uint8", True)])
@pytest.mark.parametrize("target", TARGETS)
def test_int8_softmax_for_every_target(softmax, target, io, folded, tmp_path):
    """XNNPACK runs all but the softmax, which has no int8 kernel there."""
    deployed, expected = softmax
    path = tmp_path / "net.tflite"
    options = {"io": io, "fold_preprocessing": folded, "target": target}
    formats.write(deployed, INT8, path, IMAGES, **options)
    runner = tflite.load(path)
    assert runner.output["quantization"] == (1 / 256, 0 if io == "uint8" else -128)
    found = runner(to_pixels(IMAGES) if folded else IMAGES)
    assert np.ptp(expected) > 0.5
    np.testing.assert_allclose(found, expected, atol=0.05)


@pytest.mark.parametrize("end", heads.ENDS)
def test_int8_for_every_end(end, tmp_path):
    model = heads.network(end)
    path = formats.export_model(model, INT8, tmp_path, IMAGES)
    expected = model.predict(IMAGES, verbose=0)
    assert np.ptp(expected) > 0.3
    np.testing.assert_allclose(tflite.load(path)(IMAGES), expected, atol=0.05 * np.ptp(expected))
    found = tflite.operators(path.read_bytes())
    assert found["SOFTMAX"] == (end in ("dense", "softmax", "activation", "operation"))


@pytest.mark.parametrize("name", ["tflite_fp32", "onnx_fp32", "tflite_int8"])
@pytest.mark.parametrize("end", ["unit", "unit logit", "labels"])
def test_sigmoids_are_exported_verified_and_predicted(end, name, tmp_path):
    if formats.missing_packages(formats.get_format(name)):
        pytest.skip(f"the packages of {name} are missing")
    if (end, name) == ("unit logit", "tflite_int8"):
        pytest.skip("random weights: int8 rounds its logits by more than verification allows")
    model, pixels = heads.network(end), to_pixels(heads.images(80))
    size = pixels.shape[1:3]
    seen = np.stack([center_crop(image, size, Transform().crop) for image in pixels[:8]])
    outputs = model.predict(normalize(seen), verbose=0)
    probabilities = 1 / (1 + np.exp(-outputs)) if end == "unit logit" else outputs
    if end == "labels":
        expected, labels = probabilities, ("a", "b", "c", "d", "e")
    else:
        expected = np.concatenate([1 - probabilities, probabilities], axis=-1)
        labels = ("cat", "dog")
    (result,) = export(  # its weights are random
        model, tmp_path, name, calibration=pixels, labels=labels, allow_untrained=True
    )
    assert result.error is None
    content = sidecar.require(result.path)
    assert content["outputs_are"] == ("logits" if end == "unit logit" else "probabilities")
    assert content["labels_are"] == ("independent" if end == "labels" else "exclusive")
    assert content["labels"] == list(labels)
    assert content["inputs"][0]["name"] == "images"
    assert content["outputs"][0]["name"] == "outputs"
    tolerance = 0.05 if name == "tflite_int8" else 1e-5
    for subject in (model, result.path):
        found = predict(subject, pixels[:8], top=9)
        if subject is result.path:
            rows = [[dict(one.classes)[label] for label in labels] for one in found]
        else:
            rows = [[dict(one.classes)[str(i)] for i in range(len(labels))] for one in found]
        np.testing.assert_allclose(rows, expected, atol=tolerance)


def test_what_needs_exclusive_classes_refuses_labels_early(tmp_path):
    model = heads.network("labels")
    pixels, classes = to_pixels(heads.images(64)), np.arange(64) % 5
    with pytest.raises(ValueError, match="Fine-tuning needs classes that exclude each other"):
        quantize_aware(model, [(normalize(pixels), classes)])


def test_one_sigmoid_unit_trains_with_rounding():
    """The loss of two classes is the binary cross-entropy of the unit."""
    model, pixels = heads.network("unit"), to_pixels(heads.images(32))
    images = normalize(pixels)
    outputs = model.predict(images, verbose=0)
    classes = (outputs[:, 0] > np.median(outputs)).astype("int64")
    made = quantize_aware(model, [(images, classes)], epochs=1, distillation=0.0)
    p = np.where(classes, outputs[:, 0], 1 - outputs[:, 0])
    assert made.history[0]["loss"] == pytest.approx(-np.log(p).mean(), rel=0.1)
    names = [tensor.name for tensor in schema.ModelT.InitFromPackedBuf(
        made.content, 0).subgraphs[0].tensors]  # fmt: skip
    assert {b"images", b"outputs"} <= set(names)
