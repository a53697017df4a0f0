"""From images to the networks' input, and from their output to class names."""

import numbers

import keras
import numpy as np

from keras_ghostnet.imagenet import CLASSES, imagenet_classes
from keras_ghostnet.layers.types import Tensor
from keras_ghostnet.specs.conventions import MEAN, STD


def preprocess_input(x: Tensor, data_format: str | None = None) -> Tensor:
    """Normalizes RGB images as every public checkpoint expects them.

    Divides by 255, subtracts ImageNet's mean (0.485, 0.456, 0.406) and divides by its standard
    deviation (0.229, 0.224, 0.225): `keras.applications`' mode `"torch"`.

    Args:
        x: NumPy array, nested lists or tensor of RGB images, values in [0, 255],
            `(height, width, 3)` or `(batch, height, width, 3)`, or channels first. An array of
            floats may be changed in place.
        data_format: `"channels_last"` or `"channels_first"`; None takes Keras' setting.

    Returns:
        Floats of the same shape, about -2.2 to 2.7.

    Raises:
        ValueError: If `data_format` is unknown, or `x` has another shape or, as an array, holds
            anything but finite numbers.
    """
    if data_format is None:
        data_format = keras.config.image_data_format()
    if isinstance(x, list | tuple):
        x = np.array(x)
    shape, formats = getattr(x, "shape", None), {"channels_last": -1, "channels_first": -3}
    if data_format not in formats:
        raise ValueError(
            "`data_format` must be 'channels_last' or 'channels_first'. "
            f"Received: data_format={data_format!r}."
        )
    if shape is None or len(shape) not in (3, 4) or shape[formats[data_format]] not in (3, None):
        wanted = {"channels_last": "height, width, 3", "channels_first": "3, height, width"}
        raise ValueError(
            f"`preprocess_input` takes RGB images, ({wanted[data_format]}) or (batch, "
            f"{wanted[data_format]}). Received: "
            + (type(x).__name__ if shape is None else str(tuple(shape)))
        )
    if isinstance(x, np.ndarray):
        found = None if x.dtype.kind in "buif" else f"values of type {x.dtype}"
        if found is None and not np.isfinite(x).all():
            found = "NaN or infinity"
        if found:
            raise ValueError(f"Images must be numbers from 0 to 255. Received: {found}.")
    return keras.applications.imagenet_utils.preprocess_input(
        x, data_format=data_format, mode="torch"
    )


def scale_and_offset() -> tuple[np.ndarray, np.ndarray]:
    """The float64 `(3,)` with which a network's input is `pixels * scale + offset`."""
    mean, std = np.array(MEAN), np.array(STD)
    return 1 / (255 * std), -mean / std


def normalize(pixels: np.ndarray) -> np.ndarray:
    """Normalizes pixels as `preprocess_input` does, whatever Keras' data format; a copy.

    Args:
        pixels: RGB in [0, 255], `(height, width, 3)` or `(n, height, width, 3)`.

    Returns:
        Float32 of the same shape, about -2.2 to 2.7.
    """
    return preprocess_input(np.array(pixels, "float32"), data_format="channels_last")


def to_pixels(images: np.ndarray) -> np.ndarray:
    """The inverse of `normalize`, rounded to whole pixels: uint8 of the same shape."""
    scale, offset = scale_and_offset()
    return np.rint((np.asarray(images) - offset) / scale).clip(0, 255).astype("uint8")


def decode_predictions(preds: Tensor, top: int = 5) -> list[list[tuple[str, str, float]]]:
    """Names the most probable ImageNet classes; works offline.

    Args:
        preds: Array or tensor `(batch, 1000)`: a model's output, probabilities or logits.
        top: The number of classes to name for each image, 1 to 1000.

    Returns:
        A list, one entry per image, of lists of `(WordNet id, name, score)`, best first, as
        `keras.applications` does.

    Raises:
        ValueError: If `preds` has another shape or NaN, or `top` is out of range.
    """
    preds = keras.ops.convert_to_numpy(preds)
    if np.isnan(preds).any():
        raise ValueError("`preds` must be numbers. Received: NaN, which no class is nearest to.")
    if preds.ndim != 2 or preds.shape[1] != CLASSES:
        raise ValueError(
            f"`decode_predictions` knows ImageNet's {CLASSES} classes: `preds` must have the shape "
            f"(batch, {CLASSES}). Received: {preds.shape}."
        )
    if not isinstance(top, numbers.Integral) or not 1 <= top <= CLASSES:
        raise ValueError(f"`top` must be 1 to {CLASSES}. Received: top={top!r}.")
    classes = imagenet_classes()
    best = np.argsort(-preds, axis=1, kind="stable")[:, :top]
    return [
        [(*classes[index], row[index]) for index in indices]
        for row, indices in zip(preds, best, strict=True)
    ]
