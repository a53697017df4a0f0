"""What an ONNX export refuses."""

import keras
import numpy as np
import pytest

from keras_ghostnet import extras
from keras_ghostnet.export.onnx import export
from tests.export import stock
from tests.export.networks import SHAPE


@pytest.fixture(scope="module")
def small():
    return stock.classifier()


@pytest.fixture(scope="module")
def pictures():
    return stock.pictures()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"dtype": "bfloat16"}, "dtype must be one of float32, float16, int8.*'bfloat16'"),
        ({"runtime": "openvino"}, "runtime must be one of onnxruntime, tensorrt.*'openvino'"),
        ({"layout": "CHWN"}, "layout must be one of NHWC, NCHW.*'CHWN'"),
        ({"dtype": "int8"}, "needs calibration images"),
        ({"dtype": "int8", "calibration": np.zeros((0, 16, 16, 3))}, "needs calibration images"),
        ({"float16_inputs": True}, "Only float16 files"),
    ],
)
def test_arguments_that_do_not_fit(small, arguments, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        export(small, tmp_path / "model.onnx", **arguments)
    assert not list(tmp_path.iterdir())


def test_an_open_image_size(tmp_path):
    inputs = keras.Input((None, None, 3))
    model = keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(inputs))
    with pytest.raises(ValueError, match="for a fixed image size"):
        export(model, tmp_path / "model.onnx")


def changed(model, layer, factor):
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    kernel = copy.get_layer(layer).kernel
    kernel.assign(kernel * factor)
    return copy


def test_weights_that_are_not_finite(small, tmp_path):
    with pytest.raises(ValueError, match="classes/kernel is not finite"):
        export(changed(small, "classes", np.nan), tmp_path / "model.onnx")


def test_weights_too_large_for_float16(small, tmp_path):
    with pytest.raises(ValueError, match="the weight 'classes/kernel' reaches"):
        export(changed(small, "classes", 1e6), tmp_path / "model.onnx", "float16")


def test_activations_too_large_for_float16(small, pictures, tmp_path):
    large = changed(small, "residual", 2e5)
    with pytest.raises(ValueError, match="the activation 'residual/convolution' reaches"):
        export(large, tmp_path / "model.onnx", "float16", pictures)


def test_sums_too_large_for_float16(tmp_path):
    inputs = keras.Input((64, 64, 3))
    x = keras.layers.Conv2D(1, 1, kernel_initializer="ones")(inputs)
    model = keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(x))
    images = np.full((1, *SHAPE), 20 / 3, "float32")
    with pytest.raises(ValueError, match=r"the sum over the image in .* reaches 8\.19e"):
        export(model, tmp_path / "model.onnx", "float16", images)


def test_a_missing_library(small, tmp_path, monkeypatch):
    monkeypatch.setattr(extras, "missing", lambda *names: ["tf2onnx"])
    with pytest.raises(ImportError, match=r"needs tf2onnx.*pip install \"keras_ghostnet\[onnx\]"):
        export(small, tmp_path / "model.onnx")
