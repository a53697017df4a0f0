"""What half precision does not hold is refused by layer."""

import keras
import numpy as np
import pytest

from keras_ghostnet.export import formats, half
from keras_ghostnet.export.artifacts import ArtifactError
from keras_ghostnet.export.exporting import export

IMAGES = np.random.default_rng(0).normal(size=(6, 8, 8, 3)).astype("float32")


def network(scale=1.0):
    keras.utils.set_random_seed(0)
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(4, 3, name="first")(inputs)
    x = keras.layers.Rescaling(scale, name="scale")(x)
    x = keras.layers.LayerNormalization(name="norm")(x)
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    return keras.Model(inputs, keras.layers.Dense(2, name="classes")(x), name="net")


def test_what_fits_passes():
    half.require_half_range(network(), IMAGES, sums=True)


def test_weights():
    model = network()
    model.get_layer("classes").kernel.assign(np.full((4, 2), 7e4))
    with pytest.raises(ValueError, match=r"the weight 'classes/kernel' reaches 7e\+04"):
        half.require_half_range(model)


def test_activations_by_layer():
    with pytest.raises(ValueError, match="the activation 'scale/"):
        half.require_half_range(network(1e5), IMAGES)


def test_squares_within_a_layer():
    """The layer's own outputs are near 1."""
    with pytest.raises(ValueError, match="the activation 'norm/SquaredDifference' reaches"):
        half.require_half_range(network(2e3), IMAGES)


def test_sums_only_where_they_are_computed_so():
    inputs = keras.Input((64, 64, 3))
    model = keras.Model(inputs, keras.layers.GlobalAveragePooling2D(name="pool")(inputs))
    images = np.full((1, 64, 64, 3), 20, "float32")
    half.require_half_range(model, images)
    with pytest.raises(ValueError, match=r"the sum over the image in 'pool/Mean' reaches 8\.19e"):
        half.require_half_range(model, images, sums=True)


def test_sums_of_windows():
    inputs = keras.Input((8, 8, 3))
    model = keras.Model(inputs, keras.layers.AveragePooling2D(4, name="windows")(inputs))
    half.require_half_range(model, np.full((1, 8, 8, 3), 4e3, "float32"))
    with pytest.raises(ValueError, match=r"sum over a window in 'windows/AvgPool' reaches 8e\+04"):
        half.require_half_range(model, np.full((1, 8, 8, 3), 5e3, "float32"))


def test_nan():
    with pytest.raises(ValueError, match="the activation 'first/convolution' reaches nan"):
        half.require_half_range(network(), np.full_like(IMAGES, np.nan))


@pytest.mark.parametrize("name", ["tflite_fp16", "onnx_fp16"])
def test_formats_refuse_it(name, tmp_path):
    with pytest.raises(ValueError, match="the activation 'first/"):  # which is scaled by then
        formats.export_model(network(1e5), formats.get_format(name), tmp_path, IMAGES)
    assert not list(tmp_path.iterdir())


def test_the_images_to_verify_on_find_it(tmp_path):
    """The outputs here, in float32, show nothing."""
    pixels = np.random.default_rng(0).integers(0, 256, (40, 8, 8, 3)).astype("uint8")
    data = (pixels, np.arange(40) % 2)
    with pytest.raises(ArtifactError, match="tflite_fp16: float16 holds values up to 65504"):
        export(network(1e5), tmp_path, ["tflite_fp16"], data=data, input="normalized")
