"""The successors of GhostNet in every format: attention upsampled, branches folded.

Of 72 pixels the last attention pools 9 x 9 maps to 4 x 4: what is upsampled gets an odd size.
"""

import keras
import numpy as np
import pytest

from keras_ghostnet.export import formats, tflite
from keras_ghostnet.export.graph import deploy, for_tracing
from keras_ghostnet.export.graph.tracing import NearestResizing
from keras_ghostnet.export.tensorrt.inspection import check_for_tensorrt
from keras_ghostnet.export.tflite.upsampling import concatenate_repeats
from keras_ghostnet.preprocessing import normalize
from tests.export.conftest import patches
from tests.export.networks import SINCE, settled_network

SIZE = 72
# Largest errors, in standard deviations of the outputs.
FORMATS = {
    "tflite_fp32": 1e-4,
    "tflite_int8": 0.5,
    "ncnn_fp32": 1e-4,
    "mnn_fp32": 1e-4,
    "openvino_fp32": 1e-4,
    "onnx_fp32": 1e-4,
    "saved_model": 1e-4,
}


@pytest.fixture(scope="module")
def pictures():
    return normalize(patches(32, SIZE))


@pytest.fixture(scope="module", params=SINCE)
def model(request, pictures):
    return settled_network(request.param, pictures, input_shape=(SIZE, SIZE, 3))


@pytest.fixture(scope="module")
def deployed(model):
    return for_tracing(deploy(model))


@pytest.mark.parametrize("name", FORMATS)
def test_artifacts_compute_the_same(name, model, deployed, pictures, tmp_path):
    fmt = formats.get_format(name)
    path = tmp_path / f"{model.name}{fmt.suffix}"
    formats.write(deployed, fmt, path, pictures)  # which refuses several partitions
    found = formats.load(path, fmt)(pictures[:2])
    expected = np.asarray(model(pictures[:2], training=False))
    assert np.abs(found - expected).max() < FORMATS[name] * expected.std()
    if name.startswith("tflite"):
        operators = tflite.operators(path.read_bytes())
        upsamplings = [layer for layer in deployed.layers if isinstance(layer, NearestResizing)]
        assert operators["LOGISTIC"] == len(upsamplings) == (0 if "rep" in model.name else 3)
        assert not {"RESIZE_NEAREST_NEIGHBOR", "TILE", "BROADCAST_TO", "GATHER"} & {
            operator for operator, count in operators.items() if count
        }


@pytest.mark.parametrize("name", ["onnx_fp16", "onnx_int8"])
def test_tensorrt_takes_the_onnx_files(name, deployed, pictures, tmp_path):
    fmt = formats.get_format(name)
    path = tmp_path / f"network{fmt.suffix}"
    formats.write(deployed, fmt, path, pictures, runtime="tensorrt")
    check_for_tensorrt(path)


@pytest.mark.parametrize("size", [(2, 2), (1, 3), (3, 1)])
def test_upsampling_by_concatenation(size):
    inputs = keras.Input((3, 5, 4))
    model = keras.Model(inputs, keras.layers.UpSampling2D(size, name="up")(inputs))
    found, traced = concatenate_repeats(model), for_tracing(model)
    x = np.random.default_rng(0).normal(size=(2, 3, 5, 4)).astype("float32")
    assert not any(isinstance(layer, keras.layers.UpSampling2D) for layer in found.layers)
    np.testing.assert_array_equal(found(x), model(x))
    np.testing.assert_array_equal(traced(x), model(x))


@pytest.mark.parametrize("options", [dict(interpolation="bilinear"), dict(size=1)])
def test_other_upsampling_is_left_alone(options):
    inputs = keras.Input((3, 5, 4))
    model = keras.Model(inputs, keras.layers.UpSampling2D(**options)(inputs))
    x = np.random.default_rng(0).normal(size=(2, 3, 5, 4)).astype("float32")
    np.testing.assert_array_equal(concatenate_repeats(model)(x), model(x))
