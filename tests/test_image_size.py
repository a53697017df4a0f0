"""Models of open image size, and Keras' settings, through everything that takes a model."""

import json

import keras
import numpy as np
import pytest

from keras_ghostnet import builder, model_reference, predict
from keras_ghostnet.export import export, sidecar
from keras_ghostnet.export.quantization.run import quantize_run
from keras_ghostnet.layers import GhostModule
from keras_ghostnet.training import evaluate
from tests.keras_state import image_data_format
from tests.training.runs import write_photos

SIZE = 32


def layers():
    """What makes a small classifier of two classes; logits well apart, so that int8 could tell."""
    return [
        GhostModule(8, kernel_size=3, strides=2),
        keras.layers.GlobalAveragePooling2D(),
        keras.layers.Dense(2, activation="softmax", kernel_initializer="orthogonal"),
    ]


def functional(size=None, as_list=False):
    inputs = x = keras.Input((size, size, 3))
    for layer in layers():
        x = layer(x)
    return keras.Model([inputs] if as_list else inputs, x, name="open")


def nested():
    inputs = keras.Input((None, None, 3))
    return keras.Model(inputs, functional()(inputs), name="open")


KINDS = {
    "functional": functional,
    "a list of inputs": lambda: functional(as_list=True),
    "sequential": lambda: keras.Sequential([keras.Input((None, None, 3)), *layers()], name="open"),
    "nested": nested,
    "of another size": lambda: functional(48),
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_network_for_another_size(kind):
    model = KINDS[kind]()
    before = model.get_weights()
    sized = builder.with_image_size(model, SIZE)
    assert (sized.name, sized.input_shape) == ("open", (None, SIZE, SIZE, 3))
    images = np.random.default_rng(0).standard_normal((2, SIZE, SIZE, 3)).astype("float32")
    if kind == "of another size":
        np.testing.assert_array_equal(sized.get_weights()[0], before[0])
    else:
        np.testing.assert_allclose(sized(images), model(images), rtol=1e-6)
    assert builder.with_image_size(sized, SIZE) is sized
    sized.set_weights([0 * weight for weight in before])
    for ours, theirs in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(
    ("shape", "size", "message"),
    [
        ((48, 48, 3), SIZE, "cannot take images of 32 pixels"),
        ((12,), SIZE, r"takes no images, but \[\(None, 12\)\]"),
        ((48, 48, 3), 0, "must be a positive integer. Received: 0"),
    ],
)
def test_what_has_no_such_size(shape, size, message):
    inputs = keras.Input(shape)
    outputs = keras.layers.Dense(2)(keras.layers.Flatten()(inputs))
    with pytest.raises(ValueError, match=message):
        builder.with_image_size(keras.Model(inputs, outputs), size)


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return write_photos(tmp_path_factory.mktemp("photos"), train=8, val=6)


@pytest.fixture(scope="module")
def saved(photos, tmp_path_factory):
    """A file of open size, alone and in the folder of a run that tells its images' size."""
    folder = tmp_path_factory.mktemp("models")
    model = functional()
    model.save(folder / "alone.keras")
    (folder / "run").mkdir()
    model.save(folder / "run" / "model.keras")
    run = {"data": str(photos), "image_size": SIZE, "crop": 1.0, "seed": 0}
    config = {"classes": ["class00", "class01"], "run": run}
    (folder / "run" / "config.json").write_text(json.dumps(config))
    return folder


def test_the_run_s_size_is_the_default(saved):
    run = model_reference.resolve_model(saved / "run")
    assert run.load().input_shape == (None, SIZE, SIZE, 3)
    assert run.load(48).input_shape == (None, 48, 48, 3)
    alone = model_reference.resolve_model(saved / "alone.keras")
    assert alone.load().input_shape == (None, None, None, 3)


def test_an_open_size_is_refused_with_the_option_that_gives_one(saved, photos, tmp_path):
    path = saved / "alone.keras"
    with pytest.raises(ValueError, match="Give the size of the images: --image-size"):
        evaluate(path, photos)
    with pytest.raises(ValueError, match="give the size of the images: --image-size"):
        export(path, tmp_path, "tflite_fp32", data=photos)
    with pytest.raises(ValueError, match="give the size of the images: --image-size"):
        predict(path, photos)
    with pytest.raises(ValueError, match="give the size of the images: --image-size"):
        quantize_run(path, photos)


@pytest.mark.parametrize("floatx", ["float16", "float64"])
def test_verbs_take_a_size_under_any_settings_of_keras(saved, photos, tmp_path, floatx):
    """With channels first and another float type in `keras.json`, as without."""
    path, image = saved / "alone.keras", photos / "val" / "class01" / "0.png"

    def figures():
        evaluation = evaluate(path, photos, image_size=SIZE)
        (prediction,) = predict(path, image, image_size=SIZE)
        (result,) = export(path, tmp_path, "tflite_fp32", data=photos, image_size=SIZE)
        assert sidecar.require(result.path)["inputs"][0]["shape"][1:] == [SIZE, SIZE, 3]
        return evaluation.loss, dict(prediction.classes), result.verification.accuracy

    expected = figures()
    before = keras.config.floatx()
    keras.config.set_floatx(floatx)
    try:
        with image_data_format("channels_first"):
            assert figures() == expected
            assert keras.config.floatx() == floatx
    finally:
        keras.config.set_floatx(before)
