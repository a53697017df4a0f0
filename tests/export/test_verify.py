"""Verification catches what goes wrong in exports."""

import keras
import numpy as np
import pytest

from keras_ghostnet import preprocess_input
from keras_ghostnet.export import formats
from keras_ghostnet.export.verify import VerificationError, compare, verify
from keras_ghostnet.training.predictions import predict

TFLITE = formats.find("tflite_float32")


def wrapped(model, change):
    """The model with a change of its input in front."""
    inputs = keras.Input(model.input_shape[1:])
    return keras.Model(inputs, model(change(inputs)), name="changed")


def same_padding_at_stride_2(model):
    """The same network, padded as Keras' "same" pads: nothing on the top and on the left."""
    clone = keras.models.clone_model(model)
    clone.set_weights(model.get_weights())
    for layer in clone._flatten_layers():
        if isinstance(layer, keras.layers.ZeroPadding2D):
            (rows, _), (columns, _) = layer.padding
            layer.padding = ((rows - 1, rows + 1), (columns - 1, columns + 1))
    return clone


FAULTS = {
    "wrong padding": same_padding_at_stride_2,
    "BGR": lambda model: wrapped(model, lambda images: images[..., ::-1]),
    "normalised twice": lambda model: wrapped(
        model, lambda images: preprocess_input(images, data_format="channels_last")
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_planted_faults_are_caught(fault, ghostnet, images, tmp_path):
    reference = predict(ghostnet, images, np.zeros(len(images), int))
    path = formats.export_model(FAULTS[fault](ghostnet), TFLITE, tmp_path)
    with pytest.raises(VerificationError, match="does not compute what the Keras model computes"):
        verify(path, TFLITE, images, reference.labels, reference.outputs)
    assert not path.exists()


def test_a_sound_softmax_export_passes(ghostnet, images, tmp_path):
    reference = predict(ghostnet, images, np.zeros(len(images), int))
    path = formats.export_model(ghostnet, TFLITE, tmp_path)
    result = verify(path, TFLITE, images, reference.labels, reference.outputs)
    assert result.agreement == 1
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
    assert result.agreement == 0.75
    assert result.accuracy == 0.5
    assert 0 < result.cosine < 1


@pytest.mark.filterwarnings("ignore:invalid value")
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_outputs_that_are_not_finite_fail(value, tmp_path, monkeypatch):
    path = tmp_path / "artifact"
    path.write_text("")
    reference = np.array([[1.0, -1.0], [-1.0, 1.0]])
    outputs = np.where(reference > 0, reference, value)
    monkeypatch.setattr(formats, "load", lambda *_: lambda _: outputs)
    with pytest.raises(VerificationError):
        verify(path, TFLITE, np.zeros((2, 8, 8, 3)), np.array([0, 1]), reference)


def test_another_number_of_classes_fails():
    with pytest.raises(VerificationError, match=r"\(2, 3\)"):
        compare(np.zeros((2, 3)), np.zeros((2, 2)), np.zeros(2, int), TFLITE)
