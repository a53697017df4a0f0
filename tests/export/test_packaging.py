"""What TFLite files say of themselves."""

import io
import zipfile

import flatbuffers.util
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from keras_ghostnet.export import formats, tflite
from keras_ghostnet.export.graph import deploy, for_tracing
from keras_ghostnet.export.tflite import metadata
from keras_ghostnet.preprocessing import MEAN, STD, to_pixels
from tests.export import heads

IMAGES = heads.images()
LABELS = ("ant", "bee", "çelik böcek", "two\nlines", "$5")
TFLITE = tuple(map(formats.get_format, ("tflite_fp32", "tflite_fp16", "tflite_int8")))


@pytest.fixture(scope="module")
def network():
    model = heads.network("dense")
    return for_tracing(deploy(model)), model.predict(IMAGES, verbose=0)


@pytest.fixture(scope="module", params=TFLITE, ids=lambda fmt: fmt.name)
def packaged(request, network, tmp_path_factory):
    path = tmp_path_factory.mktemp("packaged") / "net.tflite"
    formats.write(network[0], request.param, path, IMAGES, labels=LABELS)
    return path


def test_the_signature_runs(packaged, network):
    interpreter = Interpreter(str(packaged))
    assert interpreter.get_signature_list() == {
        "serving_default": {"inputs": ["images"], "outputs": ["outputs"]}
    }
    assert [d["name"] for d in interpreter.get_input_details()] == ["images"]
    assert [d["name"] for d in interpreter.get_output_details()] == ["outputs"]
    assert len(tflite.load(packaged)(IMAGES)) == len(IMAGES)
    np.testing.assert_allclose(tflite.load(packaged)(IMAGES), network[1], atol=0.05)


def test_labels_are_appended(packaged):
    with zipfile.ZipFile(packaged) as archive:
        (entry,) = archive.infolist()
        assert (entry.filename, entry.compress_type) == ("labels.txt", zipfile.ZIP_STORED)
        assert archive.read(entry).decode().splitlines() == [*LABELS[:3], "two lines", "$5"]


def test_buffers_are_aligned(packaged):
    content = packaged.read_bytes()
    model = schema.Model.GetRootAs(content)
    base = np.frombuffer(content, "uint8").ctypes.data
    found = [model.Buffers(i).DataAsNumpy() for i in range(model.BuffersLength())]
    starts = [array.ctypes.data - base for array in found if isinstance(array, np.ndarray)]
    assert len(starts) > 3
    assert all(start % 16 == 0 for start in starts)


def test_the_same_bytes_each_time(network, tmp_path):
    paths = [tmp_path / name for name in ("one.tflite", "two.tflite")]
    for path in paths:
        formats.write(network[0], TFLITE[0], path, labels=LABELS)
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_packaging_again_replaces_what_was_said(packaged):
    facts = dict(name="net", folded=False, outputs_are="probabilities")
    again = tflite.package(packaged.read_bytes(), LABELS[::-1], **facts)
    model = schema.ModelT.InitFromPackedBuf(again, 0)
    assert [entry.name for entry in model.metadata].count(b"TFLITE_METADATA") == 1
    assert len(model.signatureDefs) == 1
    assert zipfile.ZipFile(io.BytesIO(again)).read("labels.txt").startswith(b"$5\n")


def test_without_labels_there_is_no_metadata(network, tmp_path):
    path = tmp_path / "net.tflite"
    formats.write(network[0], TFLITE[0], path)
    assert b"TFLITE_METADATA" not in path.read_bytes()
    assert not zipfile.is_zipfile(path)


def test_the_positive_class_of_one_unit(tmp_path):
    model = for_tracing(deploy(heads.network("unit")))
    formats.write(model, TFLITE[0], tmp_path / "net.tflite", labels=("cat", "dog"))
    assert zipfile.ZipFile(tmp_path / "net.tflite").read("labels.txt") == b"dog\n"


@pytest.mark.parametrize("folded", [False, True])
def test_metadata_is_a_flatbuffer_with_the_normalization(folded):
    content = metadata.encode(
        name="net", labels_file="labels.txt", folded=folded, outputs_are="logits"
    )
    assert flatbuffers.util.BufferHasIdentifier(content, 0, b"M001")
    values = ([0], [1]) if folded else (255 * np.array(MEAN), 255 * np.array(STD))
    for value in values:
        assert np.float32(value).tobytes() in content


@pytest.mark.mediapipe
@pytest.mark.parametrize("name", ["tflite_fp32", "tflite_fp16", "tflite_int8"])
@pytest.mark.parametrize("end", ["dense", "logits", "labels", "unit"])
def test_mediapipe_takes_the_file(end, name, tmp_path):
    """MediaPipe's image classifier, of files that normalize: it does so by no channel."""
    mediapipe = pytest.importorskip("mediapipe")
    from mediapipe.tasks import python as tasks

    model, path = heads.network(end), tmp_path / "net.tflite"
    labels = LABELS[: max(2, model.output_shape[-1])]
    fmt = formats.get_format(name)
    deployed, options = for_tracing(deploy(model)), {"fold_preprocessing": True}
    formats.write(deployed, fmt, path, IMAGES, labels=labels, **options)
    expected = model.predict(IMAGES, verbose=0)
    vision = tasks.vision
    with vision.ImageClassifier.create_from_options(
        vision.ImageClassifierOptions(tasks.BaseOptions(model_asset_path=str(path)))
    ) as classifier:
        for pixels, outputs in zip(to_pixels(IMAGES)[:6], expected, strict=False):
            image = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=pixels)
            (head,) = classifier.classify(image).classifications
            found = {category.category_name: category.score for category in head.categories}
            names = [" ".join(label.split()) for label in labels[-len(outputs) :]]
            assert sorted(found) == sorted(names)
            scores = [found[label] for label in names]
            np.testing.assert_allclose(scores, outputs, atol=0.08 * np.ptp(expected))
