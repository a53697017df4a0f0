"""Masks as pictures: classes differ in color and, beyond eight of them, in pattern."""

from collections.abc import Sequence

import numpy as np

from keras_ghostnet.training.data.label_maps import IGNORED

# Of Okabe and Ito (2008): distinct for people who confuse red and green, or blue and yellow.
COLORS = np.array(
    [
        (0, 0, 0),
        (230, 159, 0),
        (86, 180, 233),
        (0, 158, 115),
        (240, 228, 66),
        (0, 114, 178),
        (213, 94, 0),
        (204, 121, 167),
    ],
    np.uint8,
)
OTHERS = (238, 238, 238)  # the color of the classes that are left
STRIPES = ((0, 0), (1, 1), (1, 0), (0, 1))  # steps down and to the right; the first has none
PERIOD, WIDTH = 6, 2  # of stripes, pixels
LOOKS = len(COLORS) * len(STRIPES)  # of a color and stripes
LIGHT = 128  # the brightness from which stripes are black, not white


def draw_mask(classes: np.ndarray, order: Sequence[int]) -> np.ndarray:
    """Draws a mask.

    Args:
        classes: uint8 `(height, width)`, the classes of pixels; 255 for none.
        order: The classes by rank. The first `LOOKS` have a color and stripes of their own, those
            after them all the same light gray.

    Returns:
        uint8 `(height, width, 4)`, RGBA: transparent where there is no class, opaque elsewhere.
    """
    looks = np.full(IGNORED + 1, LOOKS)
    looks[list(order[:LOOKS])] = np.arange(min(len(order), LOOKS))
    stripes, colors = np.divmod(looks[classes], len(COLORS))
    steps = np.array([*STRIPES, STRIPES[0]])[stripes]
    rows, columns = np.indices(classes.shape)
    is_stripe = (steps[..., 0] * rows + steps[..., 1] * columns) % PERIOD < WIDTH
    picture = np.where((stripes == len(STRIPES))[..., None], OTHERS, COLORS[colors])
    ink = np.where(picture.mean(axis=-1, keepdims=True) < LIGHT, 255, 0)
    picture = np.where((is_stripe & steps.any(axis=-1))[..., None], ink, picture)
    alpha = np.where(classes == IGNORED, 0, 255)
    return np.concatenate([picture, alpha[..., None]], axis=-1).astype(np.uint8)
