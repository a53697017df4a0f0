"""IR files, run in OpenVINO and compared with the Keras model, and what others may hand over."""

import re
import shutil
import subprocess
import sys

import keras
import numpy as np
import openvino
import pytest

from keras_ghostnet.benchmark.networks.random_weights import settle_batch_norms
from keras_ghostnet.export import export as export_all
from keras_ghostnet.export import formats, predict, processes, sidecar, verify
from keras_ghostnet.export.artifacts import ArtifactError
from keras_ghostnet.export.graph import deploy, for_tracing
from keras_ghostnet.export.graph.refusals import NotDeployableError
from keras_ghostnet.export.openvino import conversion, inspection, load
from keras_ghostnet.export.verification import compare, verify_outputs
from tests.export.command import export
from tests.export.networks import NAMES, settled_network

FP32, INT8 = map(formats.get_format, ("openvino_fp32", "openvino_int8"))


@pytest.fixture(scope="module")
def folder(run_dir, tmp_path_factory):
    """A folder of both formats, beside int8 for ONNX Runtime."""
    out = tmp_path_factory.mktemp("openvino")
    assert export(run_dir, out, names="openvino_fp32,openvino_int8,onnx_int8") == 0
    return out


@pytest.fixture
def copied(folder, tmp_path):
    return shutil.copytree(folder, tmp_path / "copied")


def mobilenet(images):
    keras.utils.set_random_seed(0)
    model = keras.applications.MobileNetV3Small(
        input_shape=images.shape[1:], weights=None, classes=10, classifier_activation=None,
        include_preprocessing=False,
    )  # fmt: skip
    return settle_batch_norms(model, images, momentum=0.004)


@pytest.mark.parametrize("name", [*NAMES, "mobilenet_v3"])
def test_networks(name, images, tmp_path):
    model = mobilenet(images) if name == "mobilenet_v3" else settled_network(name, images)
    outputs = np.asarray(model(images, training=False))
    path = formats.export_model(model, FP32, tmp_path)
    assert verify_outputs(load(path)(images), outputs, None, FP32).max_error < 5e-5
    # Without training, int8 costs more than an export allows.
    path = formats.export_model(model, INT8, tmp_path, images)
    result = compare(load(path)(images), outputs, None, INT8)
    assert result.typical_error < 0.15
    assert result.cosine > 0.98


def test_the_command_exports_and_verifies(folder):
    for fmt in (FP32, INT8):
        content = sidecar.read(folder / f"small{fmt.suffix}.json")
        assert content["verification"]["accuracy"] == 1
        assert content["inputs"] == [
            {"name": "images", "shape": [1, 32, 32, 3], "dtype": "float32"}
        ]
        assert content["outputs"] == [{"name": "outputs", "shape": [1, 2], "dtype": "float32"}]
        assert {"openvino", "nncf"} <= content["versions"].keys()
    assert sidecar.read(folder / "small_int8.onnx.json")["options"]["runtime"] == "onnxruntime"
    for result in verify(folder):
        assert result.error is None


def test_ranges_are_those_of_all_images(tmp_path):
    """Not the means of the images' extremes, which cut off what one of them reaches."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(8, 3, activation="relu")(inputs)
    model = keras.Model(inputs, keras.layers.Conv2D(4, 6)(x))  # no further layer's range
    images = np.random.default_rng(0).normal(size=(16, 8, 8, 3)).astype("float32")
    images[0] *= 10
    path = formats.export_model(
        keras.Sequential([model, keras.layers.Flatten()]), INT8, tmp_path, images
    )
    expected = np.asarray(model(images[:1])).ravel()
    assert np.abs(load(path)(images[:1]).ravel() - expected).max() < 0.03 * np.abs(expected).max()


def test_sums_of_two_products_do_not_overflow(folder):
    """Which without VNNI have 16 bits: seven of a weight's eight are used."""
    model = openvino.Core().read_model(folder / f"small{INT8.suffix}" / "model.xml")
    constants = [node for node in model.get_ops() if node.get_type_name() == "Constant"]
    weights = [node.data for node in constants if node.get_element_type() == openvino.Type.i8]
    assert len(weights) > 5
    assert max(np.abs(values.astype(int)).max() for values in weights) == 64


def test_int8_is_int8(folder):
    held = {fmt.name: inspection.describe(folder / f"small{fmt.suffix}") for fmt in (FP32, INT8)}
    assert [each["precision"] for each in held.values()] == ["float32", "int8"]
    for each in held.values():
        assert each["labels"] == ["ant", "bee"]
        assert each["metadata"]["mean_values"] == "123.675 116.28 103.53"
        assert each["metadata"]["scale_values"] == "58.395 57.12 57.375"


def test_predictions(folder, run_dir):
    photos = sorted((run_dir / "photos" / "val" / "bee").iterdir())[:3]
    for fmt in (FP32, INT8):
        for prediction in predict(folder / f"small{fmt.suffix}", photos):
            assert prediction.classes[0][0] == "bee"


def test_one_image_is_run_as_a_device_does(folder):
    runner = load(folder / f"small{FP32.suffix}")
    image = np.ones((32, 32, 3), "float32")
    (outputs,) = runner.single(image)().values()
    np.testing.assert_allclose(outputs, runner(image[None]), rtol=1e-6)
    with pytest.raises(ValueError, match=r"finite numbers\. Received: NaN"):
        runner(np.full((1, 32, 32, 3), np.nan))


WEIRD = ("a b", "<b>&amp;", "\x01\x1b[31m", "\u00e9\u4e2d\U0001f41d", '"', "]]>")


def test_names_of_classes_come_back(tmp_path):
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(6, 3)(inputs))
    path = tmp_path / "net.openvino"
    conversion.export(for_tracing(deploy(keras.Model(inputs, x))), path, labels=WEIRD)
    expected = ["a_b", *WEIRD[1:]]
    assert inspection.describe(path)["labels"] == expected


def edit_xml(path, pattern, replacement, count=1):
    """Edits the graph of an IR file, and brings the sidecar to the same hash."""
    xml = path / "model.xml"
    text, found = re.subn(pattern, replacement, xml.read_text(), count=count)
    assert found
    xml.write_text(text)
    beside = sidecar.path_of(path)
    sidecar.write(path, sidecar.read(beside), beside)


FOREIGN = {
    "version": (r'(<net [^>]*version=")11"', r'\g<1>99"'),
    "operator": (r'type="ReLU"', 'type="Execute"'),
    "weights": (r'offset="0" size="\d+"', 'offset="9999999999" size="432"'),
    "cut": (r"<edges>(.|\n)*", ""),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_what_openvino_refuses(name, copied):
    path = copied / f"small{FP32.suffix}"
    edit_xml(path, *FOREIGN[name])
    with pytest.raises(ValueError, match=r"small_fp32\.openvino cannot be read by OpenVINO 20"):
        inspection.describe(path)


def test_what_others_changed(copied):
    """Other words, and other weights: the convolution's bias is the last one."""
    edit_xml(copied / f"small{FP32.suffix}", 'labels value="ant bee"', 'labels value="bee ant"')
    path = copied / f"small{INT8.suffix}"
    weights = bytearray((path / "model.bin").read_bytes())
    weights[-8:] = np.array([5, -5], "float32").tobytes()
    (path / "model.bin").write_bytes(weights)
    sidecar.write(path, sidecar.read(sidecar.path_of(path)), sidecar.path_of(path))
    with pytest.raises(ArtifactError) as error:
        verify(copied)
    failed = {result.format: result.error for result in error.value.results}
    assert "its model_info is not that of an export" in failed[FP32.name]
    assert re.search(r"does not compute .* now called .*\.failed", failed[INT8.name])


class Volume(keras.layers.Layer):
    """A determinant of every image, which ONNX has and OpenVINO has not."""

    def call(self, x):
        return keras.ops.expand_dims(keras.ops.det(x[..., :3, 0]), 1)


def test_an_operator_that_openvino_lacks(tmp_path):
    inputs = keras.Input((3, 8, 3))
    model = keras.Model(inputs, Volume(name="volume")(inputs))
    with pytest.raises(NotDeployableError, match=r"Layer 'volume' .* OpenVINO: .*there is no Det"):
        conversion.export(for_tracing(model), tmp_path / "net.openvino")
    assert not list(tmp_path.iterdir())


def test_a_converter_that_crashes(small, tmp_path, monkeypatch):
    """The others go on, and nothing is left behind."""
    call = [sys.executable, "-c", "import os; print('reading', flush=True); os.abort()"]
    monkeypatch.setattr(processes, "python", lambda *args, **kwargs: call)
    images = np.random.default_rng(0).integers(0, 255, (40, 32, 32, 3)).astype("uint8")
    with pytest.raises(ArtifactError, match=r"crashed \(SIGABRT\); it printed last: reading"):
        export_all(small, tmp_path, ["openvino_fp32", "onnx_fp32"], calibration=images)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "small.keras", "small_fp32.onnx", "small_fp32.onnx.json"
    ]  # fmt: skip


SILENT = """
import sys
sys.argv[0] = "ghostnet"
from keras_ghostnet.export.openvino import libraries
for name in sys.argv[1:]:
    libraries.load(name)
sys.exit(any(name in sys.modules for name in ("openvino_telemetry", "keras", "tensorflow")))
"""


@pytest.mark.parametrize("name", ["openvino", "nncf"])
def test_nothing_is_reported_to_anybody(name):
    """What sends it is not even imported; nor is Keras, which takes seconds."""
    subprocess.run([sys.executable, "-c", SILENT, name], check=True)
