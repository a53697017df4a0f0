"""Models that normalize pixels themselves are recognized by what they do to gray levels."""

import keras
import numpy as np
import pytest

from keras_ghostnet.model_input import prepare, resolve_input
from keras_ghostnet.preprocessing import MEAN, STD, normalize, preprocess_input

IMAGE = (32, 32, 3)
VARIANCE = tuple(value**2 for value in STD)


@keras.saving.register_keras_serializable("tests")
class Scaled(keras.layers.Layer):
    """A layer of a user's own."""

    def call(self, images):
        return images / 127.5 - 1


def behind(*steps):
    """A classifier behind some steps, functions of a Keras tensor."""
    inputs = x = keras.Input(IMAGE)
    for step in steps:
        x = step(x)
    x = keras.layers.Conv2D(4, 3, strides=2)(keras.layers.ZeroPadding2D()(x))
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.ReLU()(x))
    return keras.Model(inputs, keras.layers.Dense(2)(x), name="model")


def rescaling(scale, offset=0.0):
    return keras.layers.Rescaling(scale, offset)


def normalization(mean, variance):
    return keras.layers.Normalization(mean=mean, variance=variance)


def nested():
    """Augmentation and scaling as tutorials have them: a model within the model."""
    return keras.Sequential(
        [keras.layers.RandomFlip(), keras.layers.RandomBrightness(0.9), rescaling(1 / 255)]
    )


PIXELS = {
    "rescaling": lambda: (rescaling(1 / 255),),
    "to [-1, 1]": lambda: (rescaling(1 / 127.5, -1),),
    "normalization": lambda: (normalization((124, 116, 104), (3400, 3300, 3400)),),
    "both": lambda: (rescaling(1 / 255), normalization(MEAN, VARIANCE)),
    "normalization that was not adapted": lambda: (rescaling(1 / 255), normalization(0.0, 1.0)),
    "nested": lambda: (nested(),),
    "resized": lambda: (keras.layers.Resizing(20, 20), rescaling(1 / 255)),
    "padded": lambda: (keras.layers.ZeroPadding2D(2), rescaling(1 / 255)),
    "arithmetic": lambda: (lambda x: (x - 127.5) / 127.5,),
    "preprocess_input": lambda: (preprocess_input,),
    "a mean subtracted": lambda: (lambda x: x[..., ::-1] - np.array([103.9, 116.8, 123.7], "f"),),
    "Lambda": lambda: (keras.layers.Lambda(lambda x: x / 255.0),),
    "a layer of one's own": lambda: (Scaled(),),
}
NORMALIZED = {
    "nothing": lambda: (),
    "augmentation": lambda: (keras.layers.RandomFlip(), keras.layers.RandomBrightness(0.9)),
    "identities": lambda: (rescaling(1.0), normalization(0.0, 1.0), keras.layers.Dropout(0.2)),
    "a batch norm": lambda: (keras.layers.BatchNormalization(),),
    "a convolution in front": lambda: (keras.layers.Conv2D(3, 1), rescaling(1 / 255)),
    "a clipped activation": lambda: (keras.layers.ReLU(6.0),),
}


@pytest.mark.parametrize(
    ("kind", "steps"),
    [("pixels", steps) for steps in PIXELS.values()]
    + [("normalized", steps) for steps in NORMALIZED.values()],
    ids=[*PIXELS, *NORMALIZED],
)
def test_what_a_model_takes(kind, steps):
    assert resolve_input(behind(*steps())) == kind


@pytest.mark.parametrize(("own", "kind"), [(True, "pixels"), (False, "normalized")])
def test_networks_of_keras_applications(own, kind):
    model = keras.applications.MobileNetV3Small(
        IMAGE, minimalistic=True, alpha=0.75, weights=None, classes=2, include_preprocessing=own
    )
    assert resolve_input(model) == kind


def test_a_sequential_model():
    layers = [keras.layers.Flatten(), keras.layers.Dense(2)]
    assert resolve_input(keras.Sequential([keras.Input(IMAGE), *layers])) == "normalized"
    assert resolve_input(keras.Sequential([keras.Input(IMAGE), rescaling(1 / 255), *layers])) == (
        "pixels"
    )


def test_integers_are_pixels():
    inputs = keras.Input(IMAGE, dtype="uint8")
    outputs = keras.layers.Flatten()(keras.ops.cast(inputs, "float32"))
    assert resolve_input(keras.Model(inputs, outputs)) == "pixels"


def test_another_range_is_refused_unless_it_is_said():
    model = behind(normalization(MEAN, VARIANCE))
    with pytest.raises(ValueError, match=r"model first scales images by 4\.37, 4\.46, 4\.44.*--in"):
        resolve_input(model)
    assert resolve_input(model, "normalized") == "normalized"
    assert resolve_input(behind(), "pixels") == "pixels"
    with pytest.raises(ValueError, match="input='raw'"):
        resolve_input(model, "raw")


def test_images_are_prepared_for_either():
    pixels = np.arange(48, dtype="uint8").reshape(1, 4, 4, 3)
    assert prepare(pixels, "pixels").dtype == "float32"
    np.testing.assert_array_equal(prepare(pixels, "pixels"), pixels)
    np.testing.assert_array_equal(prepare(pixels, "normalized"), normalize(pixels))
