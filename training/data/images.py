"""Operations on one image, the same eagerly and within tf.data.

Images are `(height, width, 3)`, float32 in [0, 255] unless said otherwise. What is random takes a
`seed`, an integer tensor `(2,)`, and depends on nothing else.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from keras_ghostnet.preprocessing import scale_and_offset
from keras_ghostnet.training.data import decoding
from keras_ghostnet.training.data.augmentation import INTERPOLATIONS
from keras_ghostnet.training.data.label_maps import IGNORED

ATTEMPTS = 100  # at a crop of the area and ratio drawn
ERASED_AREA, ERASED_RATIO = (0.02, 1 / 3), (0.3, 3.3)  # of random erasing's paper
CHANNELS = 3
NEAREST = "nearest"  # the interpolation of maps of classes
GRAY = (0.299, 0.587, 0.114)  # what red, green and blue contribute, ITU-R BT.601

Size = tuple[int, int]  # height and width in pixels
Range = tuple[float, float]


def decode_random_crop(
    encoded: tf.Tensor, seed: tf.Tensor, area: Range = (0.08, 1.0), ratio: Range = (3 / 4, 4 / 3)
) -> tf.Tensor:
    """Decodes a random crop of a JPEG and nothing else of it.

    Args:
        encoded: Bytes of a JPEG that `decoding.is_plain`, a scalar string tensor.
        seed: See above.
        area: The range of the crop's area, as a fraction of the image's.
        ratio: The range of the crop's width divided by its height.

    Returns:
        The crop, uint8.
    """
    window = random_window(tf.io.extract_jpeg_shape(encoded), seed, area, ratio)
    return tf.io.decode_and_crop_jpeg(
        encoded, window, channels=CHANNELS, dct_method=decoding.ACCURATE
    )


def decoded(picture: tf.Tensor) -> tf.Tensor:
    """An image as it is if it is decoded already, uint8; decoded if it is still a JPEG's bytes."""
    return decoding.decode_jpeg(picture) if picture.dtype == tf.string else picture


def random_crop(
    image: tf.Tensor, seed: tf.Tensor, area: Range = (0.08, 1.0), ratio: Range = (3 / 4, 4 / 3)
) -> tf.Tensor:
    """The crop of `decode_random_crop`, of a decoded image."""
    y, x, height, width = tf.unstack(random_window(tf.shape(image), seed, area, ratio))
    return image[y : y + height, x : x + width]


def random_window(shape: tf.Tensor, seed: tf.Tensor, area: Range, ratio: Range) -> tf.Tensor:
    """Where a random crop lies: int32 `(4,)`, y, x, height and width in pixels.

    If no try finds a crop of that area and ratio within the image, it is the whole image.
    """
    begin, extent, _ = tf.image.stateless_sample_distorted_bounding_box(
        shape,
        bounding_boxes=tf.zeros([1, 0, 4]),
        seed=seed,
        min_object_covered=0.0,
        aspect_ratio_range=ratio,
        area_range=area,
        max_attempts=ATTEMPTS,
        use_image_if_no_bounding_boxes=True,
    )
    return tf.gather(tf.concat([begin, extent], axis=0), (0, 1, 3, 4))  # none of the channels


def pad_crop(image: tf.Tensor, seed: tf.Tensor, padding: int, value: float = 0) -> tf.Tensor:
    """Puts black pixels around an image and takes a part of its former size, anywhere in it.

    Args:
        image: See above, of known shape.
        seed: See above.
        padding: Pixels on each side.
        value: Of these pixels.
    """
    y, x = tf.unstack(tf.random.stateless_uniform([2], seed, 0, 2 * padding + 1, tf.int32))
    sides = [[padding, padding], [padding, padding], [0, 0]]
    padded = tf.pad(image, sides, constant_values=value)
    return tf.slice(padded, [y, x, 0], image.shape)


def resize(
    image: tf.Tensor,
    size: Size,
    interpolation: str = "bicubic",
    mirrored: tf.Tensor | None = None,
    cut: bool = True,
) -> tf.Tensor:
    """Resizes an image; where it shrinks by a lot, every pixel is the average of its area.

    Args:
        image: uint8 or float, not empty.
        size: `(height, width)` in pixels.
        interpolation: One of `INTERPOLATIONS`; or `NEAREST`, which keeps values, type and channels
            as they are.
        mirrored: Whether to swap left and right, a boolean scalar; None for never.
        cut: Whether to cut off what bicubic interpolation makes of edges beyond [0, 255].

    Returns:
        Float32 `(*size, 3)`.
    """

    def oriented(image):  # crops are larger than what is mirrored here, as a rule
        if mirrored is None:
            return image
        return tf.cond(mirrored, lambda: tf.reverse(image, [1]), lambda: image)

    if interpolation == NEAREST:
        return oriented(tf.image.resize(image, size, NEAREST))
    limits = np.multiply(INTERPOLATIONS[interpolation], size)
    image = tf.cond(
        tf.reduce_any(tf.shape(image) > (*limits, CHANNELS)),
        lambda: tf.image.resize(image, size, "area"),
        # TensorFlow interpolates floats faster than bytes, by more than the cast takes.
        lambda: tf.image.resize(tf.cast(image, tf.float32), size, interpolation),
    )
    image = oriented(tf.ensure_shape(image, (*size, CHANNELS)))
    return _in_range(image) if cut and interpolation == "bicubic" else image


def center_crop(image: tf.Tensor, size: Size, crop: float = 0.875) -> tf.Tensor:
    """Resizes an image so that a centered part of it fits, and takes that: as evaluation does.

    Bicubic, antialiased. With a square `size` the shorter side becomes `size / crop`.

    Args:
        image: uint8 or float.
        size: `(height, width)` of the result.
        crop: The fraction of the resized image's shorter side that is kept, in (0, 1].
    """
    sides, resized, margin = _centered(tf.shape(image)[:2], size, crop)
    # The whole resized image is never made: only the part that is kept.
    image = tf.raw_ops.ScaleAndTranslate(
        images=image[None],
        size=size,
        scale=resized / sides,
        translation=-margin,
        kernel_type="keyscubic",
        antialias=True,
    )[0]
    return _in_range(tf.ensure_shape(image, (*size, CHANNELS)))


def center_crop_map(labels: tf.Tensor, size: Size, crop: float = 0.875) -> tf.Tensor:
    """What `center_crop` shows of a map of classes: the class of the nearest pixel.

    Args:
        labels: Integers `(height, width, 1)`.
        size, crop: As `center_crop`'s.

    Returns:
        The same type, `(*size, 1)`.
    """
    sides, resized, margin = _centered(tf.shape(labels)[:2], size, crop)
    for axis, side in enumerate(size):
        places = (tf.range(side, dtype=tf.float32) + 0.5 + margin[axis]) / resized[axis]
        labels = tf.gather(labels, tf.cast(places * sides[axis], tf.int32), axis=axis)
    return labels


def uncrop_map(labels: np.ndarray, sides: Size, crop: float = 0.875) -> np.ndarray:
    """The inverse of `center_crop_map`: a whole image's map by that of what `center_crop` shows.

    Args:
        labels: Integers `(height, width)`, an array.
        sides: `(height, width)` of the image.
        crop: As `center_crop`'s.

    Returns:
        uint8 `sides`, an array: the class of the nearest pixel, and `IGNORED` where `center_crop`
        shows nothing.
    """
    _, resized, margin = (part.numpy() for part in _centered(sides, labels.shape, crop))
    numbers = [np.arange(side) for side in sides]
    for axis, side in enumerate(sides):
        places = (numbers[axis] + 0.5) * (resized[axis] / side) - margin[axis]
        numbers[axis] = np.floor(places).astype(int)
    shown = [(n >= 0) & (n < size) for n, size in zip(numbers, labels.shape, strict=True)]
    found = np.full(sides, IGNORED, np.uint8)
    inside = (n[mask] for n, mask in zip(numbers, shown, strict=True))
    found[np.ix_(*shown)] = labels[np.ix_(*inside)]
    return found


def _centered(sides, size, crop):
    """An image's sides, those that it is resized to, and what is cut off at the upper left."""
    sides = tf.cast(sides, tf.float32)
    least = np.round(np.array(size) / crop)
    resized = tf.round(sides * tf.reduce_max(tf.constant(least, tf.float32) / sides))
    return sides, resized, tf.floor((resized - tf.constant(size, tf.float32)) / 2)


def color_jitter(image: tf.Tensor, seed: tf.Tensor, strength: float) -> tf.Tensor:
    """Changes brightness, contrast and saturation, each by a factor in [1 - s, 1 + s].

    As torchvision's `ColorJitter` and Pillow's `ImageEnhance` define them, in this order. One
    matrix product makes the saturation, which TensorFlow makes by way of hue.

    Args:
        image: See above, of known shape; values beyond [0, 255] are cut off.
        seed: See above.
        strength: s, in [0, 1).
    """
    brightness, contrast, saturation = tf.unstack(
        tf.random.stateless_uniform([3], seed, 1 - strength, 1 + strength)
    )
    height, width, _ = image.shape
    # Brightness and contrast only limit and shift: the matrix of the saturation scales for all.
    image = _in_range(image, tf.minimum(255.0, 255 / brightness))
    rows = tf.reshape(image, (height, width * CHANNELS))
    mean = tf.reduce_sum(tf.reduce_sum(rows, axis=0) * (np.tile(GRAY, width) / (height * width)))
    image = _in_range(image + (1 / contrast - 1) * mean, 255 / (brightness * contrast))
    pixels = math.gcd(height * width, 8)  # in a row: the product of wider rows is faster
    gray = np.kron(np.eye(pixels), np.tile(np.array(GRAY)[:, None], CHANNELS))
    mixed = saturation * np.eye(len(gray)) + (1 - saturation) * gray
    # By default an op of dense matrices: Eigen's product, where that of oneDNN takes twice as long.
    product = tf.raw_ops.SparseMatMul(
        a=tf.reshape(image, (-1, len(gray))), b=brightness * contrast * mixed
    )
    return _in_range(tf.reshape(product, image.shape))


def shift_rotate_zoom(
    image: tf.Tensor,
    seed: tf.Tensor,
    amounts: tuple[float, float, float],
    interpolation: str = "bilinear",
) -> tf.Tensor:
    """Shifts, turns and scales an image a little; pixels from outside repeat the edge's.

    Args:
        image: See above.
        seed: See above.
        amounts: The largest shift as a fraction of the sides, the largest angle as a fraction of
            a full turn, the largest relative change of scale.
        interpolation: As `warp`'s.
    """
    shift, turn, zoom = amounts
    y, x, angle, scale = tf.unstack(tf.random.stateless_uniform([4], seed, -1.0, 1.0))
    angle, scale = angle * turn * 2 * np.pi, 1 + scale * zoom
    height, width = image.shape[:2]
    cosine, sine = tf.cos(angle) * scale, tf.sin(angle) * scale
    matrix = [cosine, -sine, x * shift * width, sine, cosine, y * shift * height]
    return warp(image, matrix, "NEAREST", interpolation=interpolation)


def warp(
    image: tf.Tensor,
    matrix: Sequence[Any],
    fill: str = "CONSTANT",
    value: float = 0.0,
    interpolation: str = "bilinear",
) -> tf.Tensor:
    """Moves an image's pixels by an affine map about its center.

    Args:
        image: See above.
        matrix: a, b, c, d, e, f: the pixel at (x, y) from the center comes from
            (a x + b y + c, d x + e y + f).
        fill: What is outside: `"CONSTANT"`, `"NEAREST"` or `"REFLECT"`.
        value: The constant.
        interpolation: `"bilinear"`, or `NEAREST`.
    """
    a, b, c, d, e, f = (tf.cast(entry, tf.float32) for entry in matrix)
    height, width = image.shape[:2]
    x, y = (width - 1) / 2, (height - 1) / 2
    transform = tf.stack([a, b, c + x - a * x - b * y, d, e, f + y - d * x - e * y, 0.0, 0.0])
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=image[None],
        transforms=transform[None],
        output_shape=[height, width],
        interpolation=interpolation.upper(),
        fill_mode=fill,
        fill_value=value,
    )[0]


def erase(image: tf.Tensor, seed: tf.Tensor, probability: float) -> tf.Tensor:
    """Sets a random rectangle of some images to zero: of normalized ones, the mean color.

    Args:
        image: Float, of known shape.
        seed: See above.
        probability: The fraction of the images, in [0, 1].
    """
    seeds = tf.random.split(seed, 2)
    y, x, height, width = tf.unstack(
        random_window(tf.shape(image), seeds[0], ERASED_AREA, ERASED_RATIO)
    )
    chosen = tf.random.stateless_uniform([], seeds[1]) < probability
    return tf.where(chosen & inside(image.shape[:2], y, x, height, width), 0.0, image)


def inside(
    size: Size, y: tf.Tensor, x: tf.Tensor, height: tf.Tensor, width: tf.Tensor
) -> tf.Tensor:
    """Which pixels lie in a rectangle: boolean `(*size, 1)`."""
    rows, columns = tf.range(size[0])[:, None, None], tf.range(size[1])[None, :, None]
    return (rows >= y) & (rows < y + height) & (columns >= x) & (columns < x + width)


def normalize(image: tf.Tensor) -> tf.Tensor:
    """`keras_ghostnet.preprocessing.normalize` in TensorFlow, several times as fast.

    TensorFlow is slow at broadcasting over three channels: so whole rows are scaled and shifted.
    """
    scale, offset = scale_and_offset()
    height, width, _ = image.shape
    rows = tf.reshape(image, (height, width * CHANNELS))
    rows = rows * np.tile(scale, width).astype("float32") + np.tile(offset, width).astype("float32")
    return tf.reshape(rows, image.shape)


def to_pixels(image: tf.Tensor) -> tf.Tensor:
    """The inverse of `normalize`."""
    scale, offset = scale_and_offset()
    return (image - offset.astype("float32")) / scale.astype("float32")


def _in_range(image, highest=255.0):
    # Its two ops take less time than the one of `ClipByValue`.
    return tf.clip_by_value(image, 0.0, highest)
