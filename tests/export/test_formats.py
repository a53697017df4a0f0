"""Every format, for both families."""

import keras
import numpy as np
import pytest

from keras_ghostnet import create_model, files
from keras_ghostnet.benchmark.networks.random_weights import settle_batch_norms
from keras_ghostnet.export import contents, formats, tflite
from keras_ghostnet.export.graph import deploy
from keras_ghostnet.export.verification import compare, verify, verify_outputs
from keras_ghostnet.preprocessing import normalize
from tests.export.conftest import EXPORTED
from tests.export.networks import NAMES, SHAPE

FLOAT = [fmt for fmt in EXPORTED if fmt.dtype == "float32"]
TFLITE = formats.get_format("tflite_fp32")
INT8 = formats.get_format("tflite_int8")


@pytest.mark.parametrize("fmt", FLOAT, ids=lambda fmt: fmt.name)
def test_float_artifacts_compute_the_same(fmt, artifacts, images, reference):
    result = verify(artifacts[fmt.name], fmt, images, reference.labels, reference.outputs)
    assert result.max_error < 1e-4
    assert result.agreement == 1
    assert result.accuracy == reference.accuracy


@pytest.mark.parametrize("name", NAMES)
def test_whole_networks(name, images, tmp_path):
    """All of their blocks, once: the other tests take networks that are cut short."""
    keras.utils.set_random_seed(0)
    model = create_model(name, classes=10, input_shape=SHAPE, classifier_activation=None)
    settle_batch_norms(model, images, momentum=0.004)
    path = formats.export_model(model, TFLITE, tmp_path)
    found = formats.load(path, TFLITE)(images[:4])
    result = verify_outputs(found, np.asarray(model(images[:4], training=False)), None, TFLITE)
    assert result.max_error < 1e-4
    assert tflite.operators(path.read_bytes())["CONV_2D"] >= 50


def test_half_precision_computes_nearly_the_same(artifacts, images, reference):
    fmt = formats.get_format("tflite_fp16")
    path = artifacts[fmt.name]
    result = compare(formats.load(path, fmt)(images), reference.outputs, None, fmt)
    assert result.max_error < 0.05
    assert files.size(path) < 0.6 * files.size(artifacts[TFLITE.name])


def test_files_of_half_precision_alone_declare_it(artifacts):
    declared = {
        name: contents.describe(path)["reduced_precision"]
        for name, path in artifacts.items()
        if name.startswith("tflite")
    }
    assert declared == {"tflite_fp32": None, "tflite_fp16": "fp16accfp16", "tflite_int8": None}


@pytest.mark.parametrize("change", [0, 1e-3])
def test_the_arithmetic_is_found_by_running(change, artifacts, images):
    """Without the permission, outputs are those of float32; others were of half precision."""
    fmt = formats.get_format("tflite_fp16")
    seen = []

    def run(path, image):
        seen.append(contents.describe(path)["reduced_precision"])
        return formats.load(path, fmt)(image)

    output = formats.load(artifacts[fmt.name], fmt)(images[:1]) + np.float32(change)
    found = tflite.find_arithmetic(artifacts[fmt.name], images[:1], output, run)
    assert found == ("float16" if change else "float32")
    assert seen == ["-----------"]


def test_int8_computes_nearly_the_same(artifacts, images, reference):
    # An untrained network hardly distinguishes its classes: `verify` would ask for too much.
    outputs = formats.load(artifacts[INT8.name], INT8)(images)
    result = compare(outputs, reference.outputs, reference.labels, INT8)
    assert result.max_error < 2
    assert result.cosine > 0.95


@pytest.mark.parametrize("name", ["tflite_fp32", "tflite_int8"])
def test_tflite_has_only_plain_operators(name, artifacts, model):
    found = tflite.operators(artifacts[name].read_bytes())
    layers = [type(layer) for layer in deploy(model).layers]
    assert found["CONV_2D"] >= layers.count(keras.layers.Conv2D) > 10
    # Shapes computed at run time, conversions between types, and what is not built in.
    for operator in ("SHAPE", "PACK", "STRIDED_SLICE", "QUANTIZE", "DEQUANTIZE", "CUSTOM"):
        assert found[operator] == 0
    # The batch norms are folded: additions are those of the blocks, and in float those of
    # the few convolutions that were split at this size.
    additions = layers.count(keras.layers.Add)
    assert additions <= found["ADD"] <= additions + (0 if name == "tflite_int8" else 2)


def test_int8_is_int8_from_input_to_output(artifacts, model):
    runner = formats.load(artifacts[INT8.name], INT8)
    assert runner.input["dtype"] == runner.output["dtype"] == np.int8
    assert runner.input["shape"].tolist() == [1, 64, 64, 3]
    assert files.size(artifacts[INT8.name]) < 0.4 * files.size(artifacts[TFLITE.name])


def test_int8_takes_no_nan(artifacts, images):
    """An integer cannot say that it is none."""
    with pytest.raises(ValueError, match=r"finite numbers\. Received: NaN"):
        formats.load(artifacts[INT8.name], INT8)(np.full_like(images[:2], np.nan))


def test_saved_model_takes_any_batch(artifacts, images):
    runner = formats.load(artifacts["saved_model"], formats.get_format("saved_model"))
    np.testing.assert_allclose(runner(images, batch_size=5), runner(images), atol=1e-5)


@pytest.mark.parametrize("fmt", EXPORTED, ids=lambda fmt: fmt.name)
def test_single_runs_one_image(fmt, artifacts, images):
    formats.load(artifacts[fmt.name], fmt).single(images[0])()


@pytest.mark.parametrize("fmt", EXPORTED[1:], ids=lambda fmt: fmt.name)
def test_raw_pixels(fmt, small, pixels, tmp_path):
    """Folded preprocessing is exact: in int8, too, but for the rounding of one more layer."""
    images = normalize(pixels)
    plain = formats.load(formats.export_model(small, fmt, tmp_path / "plain", images), fmt)
    path = formats.export_model(small, fmt, tmp_path / "raw", images, fold_preprocessing=True)
    raw = formats.load(path, fmt)
    assert raw.input["dtype"] == np.uint8
    assert raw.input["quantization"] == (1.0, 0)
    outputs = plain(images)
    tolerance = {"float32": 1e-5, "float16": 1e-2, "int8": 0.1}[fmt.dtype]
    np.testing.assert_allclose(raw(pixels), outputs, atol=tolerance * outputs.std())


@pytest.mark.parametrize("io", ["int8", "uint8"])
def test_io_types(io, small, pixels, tmp_path):
    images = normalize(pixels)
    path = formats.export_model(small, INT8, tmp_path, images, io=io)
    runner = formats.load(path, INT8)
    assert runner.input["dtype"] == runner.output["dtype"] == np.dtype(io)
    outputs = small.predict(images, verbose=0)
    np.testing.assert_allclose(runner(images), outputs, atol=0.3 * outputs.std())


def test_kernels_have_a_scale_for_every_channel(artifacts):
    graph = tflite.graph(artifacts[INT8.name].read_bytes())
    scales = {
        len(tensor.Quantization().ScaleAsNumpy())
        for tensor in map(graph.subgraph.Tensors, range(graph.subgraph.TensorsLength()))
        if tensor.Quantization() and tensor.Quantization().ScaleLength() > 1
    }
    assert len(scales) > 5


def test_nothing_is_left_of_a_failure(toy, tmp_path, monkeypatch):
    path = formats.export_model(toy, TFLITE, tmp_path)
    before = path.read_bytes()
    monkeypatch.setattr(tflite.inspection, "check", lambda *_: 1 / 0)
    with pytest.raises(ValueError, match="toy cannot be converted to TFLite: division by zero"):
        formats.export_model(toy, TFLITE, tmp_path)
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]
    assert path.read_bytes() == before


def test_exports_are_quiet(toy, tmp_path, capfd):
    calibration = np.zeros((2, 8, 8, 3), "float32")
    for fmt in EXPORTED:
        formats.load(formats.export_model(toy, fmt, tmp_path, calibration), fmt)
    assert capfd.readouterr() == ("", "")


def test_int8_needs_calibration(toy, tmp_path):
    with pytest.raises(ValueError, match="needs calibration images"):
        formats.export_model(toy, INT8, tmp_path)


def test_tflite_needs_a_size(tmp_path):
    inputs = keras.Input((None, None, 3))
    model = keras.Model(inputs, keras.layers.GlobalAveragePooling2D(name="pool")(inputs))
    with pytest.raises(ValueError, match="fixed image size"):
        formats.export_model(model, TFLITE, tmp_path)


def test_a_file_of_the_wrong_type_is_refused(toy, tmp_path):
    path = formats.export_model(toy, TFLITE, tmp_path)
    with pytest.raises(ValueError, match="input is float32, expected int8"):
        tflite.check(path.read_bytes(), "int8")


def test_a_network_in_two_parts_is_refused(toy, tmp_path):
    """XNNPACK does not know CUMSUM."""
    inputs = keras.Input((8, 8, 3))
    middle = keras.ops.cumsum(keras.layers.Conv2D(3, 1, name="first")(inputs), axis=1)
    model = keras.Model(inputs, toy(middle))
    with pytest.raises(ValueError, match="in 2 parts or leaves operators over"):
        tflite.export(model, tmp_path / "model.tflite")


def test_unknown_format():
    with pytest.raises(ValueError, match=r"no format 'tflite_float32'\. Did you mean 'tflite_"):
        formats.get_format("tflite_float32")


def test_unknown_option(toy, tmp_path):
    with pytest.raises(ValueError, match="tflite_fp32 has no option 'layout'"):
        formats.export_model(toy, TFLITE, tmp_path, layout="NCHW")


@pytest.fixture(scope="module")
def pixels():
    return np.random.default_rng(0).integers(0, 256, (40, 32, 32, 3)).astype("uint8")


@pytest.fixture
def toy():
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(4, 3, name="conv")(inputs)
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    return keras.Model(inputs, keras.layers.Dense(2, name="predictions")(x), name="toy")
