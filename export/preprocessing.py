"""Networks that normalize pixels themselves, and what a device must do to an image."""

import keras

from keras_ghostnet.model_input import NORMALIZED, PIXELS
from keras_ghostnet.preprocessing import scale_and_offset


def fold(model):
    """A model of raw pixels, that normalizes them in a layer of its own.

    The layer is a depthwise 1x1 convolution: in int8, with a scale for every channel, it is
    exact but for the rounding that any normalized int8 input takes. Folded into the first
    convolution it would be wrong at the borders, which are padded with the normalized zero.

    Args:
        model: A Keras model of normalized images `(height, width, 3)`.

    Raises:
        ValueError: If the model's images have not 3 channels.
    """
    if model.input_shape[-1] != 3:
        raise ValueError(
            "Only the normalization of RGB images can be folded in. Received a model with the "
            f"input shape {model.input_shape}."
        )
    layer = keras.layers.DepthwiseConv2D(1, name="normalize")
    pixels = keras.Input(model.input_shape[1:], name="pixels")
    folded = keras.Model(pixels, model(layer(pixels)), name=model.name)
    scale, offset = scale_and_offset()
    layer.set_weights([scale.reshape(1, 1, 3, 1), offset])
    return folded


def describe(model, crop, folded, kind=NORMALIZED):
    """What a device must do to an image, for a sidecar.

    Args:
        model: The model.
        crop: The fraction of the resized image's shorter side that is kept; None if not known.
        folded: Whether the artifact normalizes itself what the model takes normalized.
        kind: What the model takes, of `keras_ghostnet.model_input.INPUTS`.

    Returns:
        A dictionary; mean and standard deviation are None if the model normalizes in its own way.
    """
    scale, offset = scale_and_offset()
    own, within = kind == PIXELS, folded or kind == PIXELS
    return {
        "size": list(model.input_shape[1:3]),
        "crop": crop,
        "resize": "bicubic: the shorter side to the size divided by the crop, then the center",
        "channels": "RGB",
        "normalization_in_artifact": within,
        "mean": None if own else (-offset / scale / 255).round(6).tolist(),
        "std": None if own else (1 / (scale * 255)).round(6).tolist(),
        "formula": "pixels, 0 to 255" if within else "(pixels / 255 - mean) / std",
    }
