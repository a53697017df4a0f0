"""Decodes images: the usual ones within TensorFlow, what its decoders get wrong with Pillow."""

import io

import numpy as np
import tensorflow as tf

from keras_ghostnet import extras

ACCURATE = "INTEGER_ACCURATE"  # TensorFlow's default differs from other decoders by a few levels
HEADER = 1024  # bytes that are searched for an orientation: Exif data come first in a file
# The orientation tag with a value from 2 to 8, in either byte order. By its bytes alone: to be
# wrong here only sends an image the slow way.
TURNED = (
    r"(?s)\C*(\x01\x12\x00\x03\x00\x00\x00\x01\x00[\x02-\x08]"
    r"|\x12\x01\x03\x00\x01\x00\x00\x00[\x02-\x08]\x00)\C*"
)
INKS = 4  # channels of a CMYK image
# Pillow's modes of more than 8 bits, which its own conversion to RGB would clip instead of scale.
DEEP = ("I", "I;16", "I;16B", "I;16L", "I;16N")


def is_jpeg(encoded):
    """Whether bytes, a scalar string tensor, begin as JPEGs do; a boolean tensor."""
    return tf.strings.substr(encoded, 0, 3) == b"\xff\xd8\xff"


def is_plain(encoded):
    """Whether TensorFlow decodes an image as everybody else does.

    It does not turn photographs as their Exif orientation says, refuses JPEGs of four inks, and
    does not know WebP in every version.

    Args:
        encoded: The image file's bytes, a scalar string tensor.

    Returns:
        A boolean scalar.

    Raises:
        tf.errors.InvalidArgumentError: If the header of a JPEG is damaged.
    """
    known = tf.reduce_any(
        [
            tf.strings.substr(encoded, 0, 4) == b"\x89PNG",
            tf.strings.substr(encoded, 0, 4) == b"GIF8",
            tf.strings.substr(encoded, 0, 2) == b"BM",
        ]
    )
    return tf.cond(is_jpeg(encoded), lambda: is_plain_jpeg(encoded), lambda: known)


def is_plain_jpeg(encoded):
    """`is_plain` of a JPEG.

    Args:
        encoded: The image file's bytes, a scalar string tensor.

    Returns:
        A boolean scalar.

    Raises:
        tf.errors.InvalidArgumentError: If it is no JPEG, or its header is damaged.
    """
    turned = tf.strings.regex_full_match(tf.strings.substr(encoded, 0, HEADER), TURNED)
    return ~turned & (tf.io.extract_jpeg_shape(encoded)[2] != INKS)


def decode_plain(encoded):
    """Decodes an image for which `is_plain` holds.

    Args:
        encoded: The image file's bytes, a scalar string tensor.

    Returns:
        RGB, uint8 `(height, width, 3)`; of an animation the first frame, of 16 bits the upper 8.

    Raises:
        tf.errors.InvalidArgumentError: If it cannot be decoded.
    """
    return tf.cond(
        is_jpeg(encoded),
        lambda: decode_jpeg(encoded),
        lambda: decode_bitmap(encoded),
    )


def decode_jpeg(encoded):
    """`decode_plain` of a JPEG."""
    return tf.io.decode_jpeg(encoded, channels=3, dct_method=ACCURATE)


def decode_bitmap(encoded):
    """`decode_plain` of anything but a JPEG."""
    image = tf.io.decode_image(encoded, channels=3, expand_animations=False)
    return tf.ensure_shape(image, (None, None, 3))


def decode(encoded):
    """Decodes any image file that Pillow knows, as a viewer would show it.

    Args:
        encoded: The file's bytes.

    Returns:
        RGB, a uint8 array `(height, width, 3)`: turned as its Exif orientation says, inks
        converted, transparency dropped, of an animation the first frame, of 16 bits the upper 8.

    Raises:
        ImportError: If Pillow is missing.
        ValueError: If it cannot be decoded; says why.
    """
    extras.require("PIL", purpose="Decoding images", extra="train")
    import PIL.Image
    import PIL.ImageOps

    if not encoded:
        raise ValueError("the file is empty")
    try:
        with PIL.Image.open(io.BytesIO(encoded)) as image:
            image = PIL.ImageOps.exif_transpose(image)
            if image.mode in DEEP:
                upper = (np.asarray(image).astype(np.int64) >> 8).astype(np.uint8)
                return np.stack([upper] * 3, axis=-1)
            return np.asarray(image.convert("RGB"))
    except PIL.UnidentifiedImageError as error:
        raise ValueError(f"not an image: begins with {encoded[:8]!r}") from error
    except Exception as error:  # damaged files make Pillow's plugins raise anything
        raise ValueError(f"cannot be decoded: {error}") from error
