"""Pixels to the networks' input and back, and a network that does it itself."""

import keras
import numpy as np

from keras_ghostnet.preprocessing import preprocess_input


def normalise(pixels):
    """The networks' input of pixels.

    Args:
        pixels: RGB in [0, 255], `(n, height, width, 3)`.

    Returns:
        float32 of the same shape, about -2.2 to 2.7.
    """
    return preprocess_input(np.array(pixels, "float32"), data_format="channels_last")


def to_pixels(images):
    """The nearest pixels of normalised images.

    Args:
        images: `(n, height, width, 3)` as `normalise` makes them.

    Returns:
        RGB uint8 of the same shape.
    """
    scale, offset = constants()
    return np.rint((np.asarray(images) - offset) / scale).clip(0, 255).astype("uint8")


def constants():
    """Scale and offset `(3,)` with which `normalise` is `pixels * scale + offset`."""
    black, white = normalise(np.array([[[[0] * 3, [255] * 3]]]))[0, 0].astype("float64")
    return (white - black) / 255, black


def fold(model):
    """A model of raw pixels, that normalises them in a layer of its own.

    The layer is a depthwise 1x1 convolution: in int8, with a scale for every channel, it is
    exact but for the rounding that any normalised int8 input takes. Folded into the first
    convolution it would be wrong at the borders, which are padded with the normalised zero.

    Args:
        model: A Keras model of normalised images `(height, width, 3)`.

    Raises:
        ValueError: If the model's images have not 3 channels.
    """
    if model.input_shape[-1] != 3:
        raise ValueError(
            "Only the normalisation of RGB images can be folded in. Received a model with the "
            f"input shape {model.input_shape}."
        )
    layer = keras.layers.DepthwiseConv2D(1, name="normalise")
    pixels = keras.Input(model.input_shape[1:], name="pixels")
    folded = keras.Model(pixels, model(layer(pixels)), name=model.name)
    scale, offset = constants()
    layer.set_weights([scale.reshape(1, 1, 3, 1), offset])
    return folded


def describe(model, crop, folded):
    """What a device must do to an image, for a sidecar.

    Args:
        model: The model of normalised images.
        crop: The part of the resized image's shorter side that is kept; None if not known.
        folded: Whether the artifact normalises itself.
    """
    scale, offset = constants()
    return {
        "size": list(model.input_shape[1:3]),
        "crop": crop,
        "resize": "bicubic: the shorter side to the size divided by the crop, then the centre",
        "channels": "RGB",
        "normalisation_in_artifact": folded,
        "mean": (-offset / scale / 255).round(6).tolist(),
        "std": (1 / (scale * 255)).round(6).tolist(),
        "formula": "pixels, 0 to 255" if folded else "(pixels / 255 - mean) / std",
    }
