"""Maps of classes: image files whose pixels are the numbers of classes, one map for each image."""

import io
import os

import numpy as np

from keras_ghostnet.training.data import decoding, image_formats

IGNORED = 255  # the number of pixels that are not labeled
# Pillow's modes in which a pixel is one number.
NUMBERS = ("1", "L", "P", *decoding.DEEP)
LOSSY = ("JPEG",)
BITS = 8  # of a color


def decode_map(encoded: bytes) -> np.ndarray:
    """Decodes a map of classes.

    Args:
        encoded: The bytes of an image file without loss, such as a PNG: gray, of which the values
            are the classes, or with a palette, of which its indices are.

    Returns:
        uint8 `(height, width)`.

    Raises:
        ImportError: If Pillow is missing.
        ValueError: If it cannot be decoded, or its pixels are no numbers of classes; says why.
    """
    formats = image_formats.readable_formats()
    import PIL.Image

    try:
        with PIL.Image.open(io.BytesIO(encoded), formats=formats) as image:
            decoding.require_size(image.width, image.height)
            if image.format in LOSSY:
                raise ValueError(f"is a {image.format}, which changes numbers: save it as PNG")
            if image.mode not in NUMBERS:
                raise ValueError(
                    f"has colors ({image.mode}), not one number for each pixel: save the classes' "
                    "numbers as a gray PNG, or one with a palette"
                )
            values = np.asarray(image)
            # Pillow spreads grays of two and four bits over all of eight.
            if image.format == "PNG" and image.mode == "L" and encoded[24] < 8:
                values = values // (255 // (2 ** encoded[24] - 1))
    except ValueError:
        raise
    except Exception as error:  # damaged files make Pillow's plugins raise anything
        raise ValueError(f"cannot be decoded: {error}") from error
    if values.min() < 0 or values.max() > IGNORED:
        raise ValueError(
            f"holds numbers from {values.min()} to {values.max()}: classes are numbered from 0 to "
            f"{IGNORED - 1}, and {IGNORED} is for pixels without a class"
        )
    return values.astype(np.uint8)


def write_map(path: str | os.PathLike[str], labels: np.ndarray) -> None:
    """Writes a map of classes as `decode_map` reads it: a PNG, in colors of a palette.

    Args:
        path: The file to write, of any name.
        labels: uint8 `(height, width)`.
    """
    import PIL.Image

    image = PIL.Image.fromarray(labels)
    image.putpalette(colors_of_classes(IGNORED + 1).tobytes())
    image.save(path, "PNG")


def colors_of_classes(classes: int) -> np.ndarray:
    """Pascal VOC's colors, uint8 `(classes, 3)`: the bits of a class's number, spread over three.

    The first one is black.
    """
    numbers = np.arange(classes)[:, None]
    shifts = 3 * np.arange(BITS)
    bits = numbers[:, :, None] >> (shifts[None, :, None] + np.arange(3)) & 1
    places = (1 << np.arange(BITS)[::-1])[None, :, None]
    return (bits * places).sum(axis=1).astype(np.uint8)


def require_fit(labels: np.ndarray, sides: tuple[int, int], classes: int) -> None:
    """Refuses a map of another size than its image's, or of unknown classes.

    Args:
        labels: Of `decode_map`.
        sides: `(height, width)` of the image, pixels.
        classes: The number of classes.

    Raises:
        ValueError: If it does not fit; says why.
    """
    if labels.shape != tuple(sides):
        (height, width), (rows, columns) = sides, labels.shape
        raise ValueError(
            f"its map has {columns} x {rows} pixels, the image {width} x {height} (rotated as its "
            "metadata say)"
        )
    wrong = (labels >= classes) & (labels != IGNORED)
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        raise ValueError(
            f"its map holds class {labels[row, column]} at row {row}, column {column}: classes are "
            f"0 to {classes - 1}, and {IGNORED} is ignored"
        )
