"""RandAugment (Cubuk et al., 2019), stateless.

Keras' own layer draws from a generator with a state, which would make an image depend on how many
were made before it; and it computes all its operations for every image to keep one.

Images are float32 `(height, width, 3)` in [0, 255]. Magnitudes are 0 to 10, as in the paper.
"""

import numpy as np
import tensorflow as tf

from keras_ghostnet.training.data import images
from keras_ghostnet.training.data.augmentation import HIGHEST_MAGNITUDE

GRAY = 128.0  # fills what comes in from outside
SMOOTH = np.array([[1, 1, 1], [1, 5, 1], [1, 1, 1]], np.float32) / 13  # Pillow's filter


def rand_augment(
    image: tf.Tensor,
    seed: tf.Tensor,
    layers: int,
    magnitude: float,
    std: float = 0.0,
    probability: float = 1.0,
) -> tf.Tensor:
    """Applies operations drawn from `OPERATIONS`, one after the other.

    Args:
        image: See above.
        seed: An integer tensor `(2,)`.
        layers: How many operations.
        magnitude: How strong they are, 0 to 10.
        std: Standard deviation of each one's magnitude, which stays within 0 to 10.
        probability: Of each to be applied at all.
    """
    for layer_seed in tf.unstack(tf.random.split(seed, layers)) if layers else ():
        which, sign, spread, toss = tf.unstack(tf.random.split(layer_seed, 4))
        which = tf.random.stateless_uniform([], which, 0, len(OPERATIONS), tf.int32)
        sign = tf.where(tf.random.stateless_uniform([], sign) < 0.5, -1.0, 1.0)
        strength = magnitude / HIGHEST_MAGNITUDE
        if std:
            drawn = tf.random.stateless_normal([], spread, magnitude, std) / HIGHEST_MAGNITUDE
            strength = tf.clip_by_value(drawn, 0.0, 1.0)
        if probability < 1:
            is_applied = tf.random.stateless_uniform([], toss) < probability
            which = tf.where(is_applied, which, IDENTITY)
        image = apply(image, which, strength, sign)
    return image


def apply(
    image: tf.Tensor, which: tf.Tensor, strength: float | tf.Tensor, sign: tf.Tensor
) -> tf.Tensor:
    """One operation.

    Args:
        image: See above.
        which: The operation's place in `OPERATIONS`, an integer tensor.
        strength: In [0, 1], a number or a float32 tensor.
        sign: -1 or 1: the direction, for those that have one.
    """

    def branch(operation):
        return lambda: tf.ensure_shape(operation(image, strength, sign), image.shape)

    result = tf.switch_case(which, [branch(operation) for operation in OPERATIONS.values()])
    return tf.clip_by_value(result, 0.0, 255.0)


def _blend(other, image, factor):
    return other + (image - other) * factor


def _gray(image):
    return tf.image.rgb_to_grayscale(image)


def _autocontrast(image, *_):
    low = tf.reduce_min(image, axis=(0, 1))
    extent = tf.reduce_max(image, axis=(0, 1)) - low
    stretched = (image - low) * 255 / tf.maximum(extent, 1.0)
    return tf.where(extent < 1, image, stretched)


def _equalize(image, *_):
    return tf.stack([_equalize_channel(channel) for channel in tf.unstack(image, axis=-1)], -1)


def _equalize_channel(channel):
    """As Pillow does: levels get the places of their pixels in the order of all pixels."""
    levels = tf.cast(channel, tf.int32)
    counts = tf.math.bincount(tf.reshape(levels, [-1]), minlength=256, maxlength=256)
    last = tf.boolean_mask(counts, counts > 0)[-1]
    step = (tf.reduce_sum(counts) - last) // 255
    places = (tf.cumsum(counts, exclusive=True) + step // 2) // tf.maximum(step, 1)
    equalized = tf.cast(tf.gather(tf.minimum(places, 255), levels), tf.float32)
    return tf.where(step == 0, channel, equalized)


def _rotate(image, strength, sign):
    angle = sign * strength * np.pi / 6  # 30 degrees at most
    cosine, sine = tf.cos(angle), tf.sin(angle)
    return images.warp(image, [cosine, sine, 0, -sine, cosine, 0], value=GRAY)


def _posterize(image, strength, _):
    drop = 2.0 ** tf.round(4.0 * strength)  # up to four of eight bits
    return tf.floor(image / drop) * drop


def _solarize(image, strength, _):
    return tf.where(image < 256 * (1 - strength), image, 255 - image)


def _color(image, strength, sign):
    return _blend(_gray(image), image, 1 + sign * 0.9 * strength)


def _contrast(image, strength, sign):
    return _blend(tf.reduce_mean(_gray(image)), image, 1 + sign * 0.9 * strength)


def _brightness(image, strength, sign):
    return image * (1 + sign * 0.9 * strength)


def _sharpness(image, strength, sign):
    kernel = tf.tile(SMOOTH[:, :, None, None], [1, 1, images.CHANNELS, 1])
    smooth = tf.nn.depthwise_conv2d(image[None], kernel, [1, 1, 1, 1], "VALID")[0]
    height, width = image.shape[:2]
    edges = ~images.inside((height, width), 1, 1, height - 2, width - 2)  # stay as they are
    smooth = tf.where(edges, image, tf.pad(smooth, [[1, 1], [1, 1], [0, 0]]))
    return _blend(smooth, image, 1 + sign * 0.9 * strength)


def _shear_x(image, strength, sign):
    return images.warp(image, [1, sign * 0.3 * strength, 0, 0, 1, 0], value=GRAY)


def _shear_y(image, strength, sign):
    return images.warp(image, [1, 0, 0, sign * 0.3 * strength, 1, 0], value=GRAY)


def _translate_x(image, strength, sign):
    shift = sign * 0.45 * strength * image.shape[1]
    return images.warp(image, [1, 0, shift, 0, 1, 0], value=GRAY)


def _translate_y(image, strength, sign):
    shift = sign * 0.45 * strength * image.shape[0]
    return images.warp(image, [1, 0, 0, 0, 1, shift], value=GRAY)


OPERATIONS = {
    "identity": lambda image, *_: image,
    "autocontrast": _autocontrast,
    "equalize": _equalize,
    "rotate": _rotate,
    "posterize": _posterize,
    "solarize": _solarize,
    "color": _color,
    "contrast": _contrast,
    "brightness": _brightness,
    "sharpness": _sharpness,
    "shear_x": _shear_x,
    "shear_y": _shear_y,
    "translate_x": _translate_x,
    "translate_y": _translate_y,
}
IDENTITY = tuple(OPERATIONS).index("identity")
