"""Decodes images: the usual ones within TensorFlow, what its decoders get wrong with Pillow."""

import contextlib
import io
from typing import Any

import numpy as np
import tensorflow as tf

from keras_ghostnet.training.data import image_formats

ACCURATE = "INTEGER_ACCURATE"  # TensorFlow's default differs from other decoders by a few levels
HEAD_BYTES = 1024  # of a JPEG: enough to see whether it has metadata
METADATA_BYTES = 1 << 20  # from the start, that are searched for metadata
TAIL_BYTES = 1 << 16  # at the end, of a PNG, whose metadata may follow the pixels
# TensorFlow's expressions are over UTF-8: a byte above 0x7f can only be written as \C, any byte.
# A frame header of 8 bits with one or three components, and what metadata begin with.
FRAME = r"(?s)\C*(?:\x00\x0b\x08\C{4}\x01|\x00\x11\x08\C{4}\x03)\C*"
METADATA = r"(?s)\C*(?:Exif|http:|Photoshop|ICC_PROFILE|MPF)\C*"
# An orientation from 2 to 8: the Exif tag of any integer type in either byte order, or XMP's
# attribute or element. By its bytes alone: to be wrong only sends an image the slow way.
ROTATED = (
    r"(?s)\C*(?:\x01\x12\x00[\x01-\x0d]\x00\x00\x00\x01\x00{0,3}[\x02-\x08]"
    r"|\x12\x01[\x01-\x0d]\x00\x01\x00\x00\x00[\x02-\x08]\x00"
    r"|tiff:Orientation(?:=\"|>)[2-8])\C*"
)
# The places of a PNG where Pillow finds an orientation; the last two may be compressed.
PNG_METADATA = r"(?s)\C*(?:eXIf|XML:com\.adobe\.xmp|Raw profile type exif)\C*"
CMYK_CHANNELS = 4
# 400 MB decoded. A PNG of some kilobytes can hold as many, and a photograph has no more.
MAX_PIXELS = 1 << 27
SAMPLE = 9  # examples that are looked at to see what most are
PNG = b"\x89PNG\r\n\x1a\n"
# Pillow's modes of more than 8 bits, which its own conversion to RGB would clip instead of scale.
DEEP = ("I", "I;16", "I;16B", "I;16L", "I;16N")


def is_jpeg(encoded: tf.Tensor) -> tf.Tensor:
    """Whether bytes, a scalar string tensor, begin as JPEGs do; a boolean tensor."""
    return tf.strings.substr(encoded, 0, 3) == b"\xff\xd8\xff"


def are_mostly_jpegs(reader: Any) -> bool:
    """Whether most examples of a `readers.Reader` are JPEGs, by a few of them."""
    count = 0
    few = np.unique(np.linspace(0, len(reader) - 1, SAMPLE, dtype=int))
    for index in few:
        with contextlib.suppress(ValueError):  # of one that cannot be read
            count += bool(is_jpeg(reader.read(index)[0]))
    return 2 * count > len(few)


def is_plain(encoded: tf.Tensor) -> tf.Tensor:
    """Whether TensorFlow decodes an image as everybody else does.

    It does not rotate photographs as their metadata say, refuses CMYK JPEGs, reads the palettes of
    BMPs as grays, and knows no limit: images of more than `MAX_PIXELS` are not plain, either.

    Args:
        encoded: The image file's bytes, a scalar string tensor.

    Returns:
        A boolean scalar.

    Raises:
        tf.errors.InvalidArgumentError: If the header is damaged.
    """
    return tf.case(
        [
            (is_jpeg(encoded), lambda: is_plain_jpeg(encoded)),
            (is_png(encoded), lambda: _is_plain_png(encoded)),
        ],
        default=lambda: _is_plain_bmp(encoded),
    )


def is_plain_jpeg(encoded: tf.Tensor) -> tf.Tensor:
    """`is_plain` of a JPEG.

    Args:
        encoded: The image file's bytes, a scalar string tensor.

    Returns:
        A boolean scalar.

    Raises:
        tf.errors.InvalidArgumentError: If it is no JPEG, or its header is damaged.
    """
    # TensorFlow would print a line for every file that is none.
    with tf.control_dependencies([tf.debugging.Assert(is_jpeg(encoded), ["not a JPEG"])]):
        height, width, channels = tf.unstack(tf.io.extract_jpeg_shape(encoded))
    rotated = tf.strings.regex_full_match(jpeg_metadata(encoded), ROTATED)
    return ~rotated & (channels != CMYK_CHANNELS) & _is_within_limit(height, width)


def _is_plain_png(encoded):
    rotated = tf.strings.regex_full_match(png_metadata(encoded), PNG_METADATA)
    return ~rotated & _is_within_limit(*tf.unstack(png_size(encoded)))


def _is_plain_bmp(encoded):
    """Whether it is a BMP without a palette, of 24 bits a pixel and not compressed."""

    def is_plain():
        size = tf.io.decode_raw(tf.strings.substr(encoded, 18, 8), tf.int32)
        width, height = tf.unstack(tf.abs(tf.ensure_shape(size, [2])))  # negative from the top down
        return _is_within_limit(height, width)

    kind = tf.strings.substr(encoded, 26, 8)
    plain = (tf.strings.substr(encoded, 0, 2) == b"BM") & (kind == b"\x01\0\x18\0\0\0\0\0")
    return tf.cond(plain, is_plain, lambda: tf.constant(False))


def _is_within_limit(height, width):
    # Divided, as the product may exceed the type.
    return height <= MAX_PIXELS // tf.maximum(width, 1)


def is_png(encoded: tf.Tensor) -> tf.Tensor:
    """Whether bytes, a scalar string tensor, begin as PNGs do; a boolean tensor."""
    return tf.strings.substr(encoded, 0, len(PNG)) == PNG


def png_size(encoded: tf.Tensor) -> tf.Tensor:
    """Height and width of a PNG, int64 `(2,)`.

    They stand in its header chunk, which the format demands to be the first.
    """
    numbers = tf.io.decode_raw(tf.strings.substr(encoded, 16, 8), tf.int32, little_endian=False)
    unsigned = tf.cast(tf.bitcast(tf.ensure_shape(numbers, [2]), tf.uint32), tf.int64)
    return tf.reverse(unsigned, [0])


def jpeg_metadata(encoded: tf.Tensor) -> tf.Tensor:
    """The part of a JPEG that can hold its orientation, a scalar string: of most nothing."""
    head = tf.strings.substr(encoded, 0, HEAD_BYTES)
    framed = tf.strings.regex_full_match(head, FRAME)
    more = ~framed | tf.strings.regex_full_match(head, METADATA)
    # A product: its op takes less time than a choice.
    return tf.strings.substr(encoded, 0, tf.cast(more, tf.int32) * METADATA_BYTES)


def png_metadata(encoded: tf.Tensor) -> tf.Tensor:
    """The parts of a PNG that can hold its orientation, a scalar string."""
    rest = tf.maximum(tf.strings.length(encoded) - TAIL_BYTES, 0)
    parts = (0, METADATA_BYTES), (rest, TAIL_BYTES)
    return tf.strings.join([tf.strings.substr(encoded, *part) for part in parts])


def decode_plain(encoded: tf.Tensor) -> tf.Tensor:
    """Decodes an image for which `is_plain` holds.

    Args:
        encoded: The image file's bytes, a scalar string tensor.

    Returns:
        RGB, uint8 `(height, width, 3)`; of 16 bits the upper 8.

    Raises:
        tf.errors.InvalidArgumentError: If it cannot be decoded.
    """
    return tf.cond(is_jpeg(encoded), lambda: decode_jpeg(encoded), lambda: decode_bitmap(encoded))


def decode_jpeg(encoded: tf.Tensor) -> tf.Tensor:
    """`decode_plain` of a JPEG."""
    return tf.io.decode_jpeg(encoded, channels=3, dct_method=ACCURATE)


def decode_bitmap(encoded: tf.Tensor) -> tf.Tensor:
    """`decode_plain` of anything but a JPEG."""
    image = tf.io.decode_image(encoded, channels=3, expand_animations=False)
    return tf.ensure_shape(image, (None, None, 3))


def decode(encoded: bytes) -> np.ndarray:
    """Decodes an image file of `image_formats.IMAGE_FORMATS`, as a viewer would show it.

    Args:
        encoded: The file's bytes.

    Returns:
        RGB, a uint8 array `(height, width, 3)`: rotated as its metadata say, CMYK converted,
        transparency dropped, of an animation the first frame, of 16 bits the upper 8.

    Raises:
        ImportError: If Pillow is missing.
        ValueError: If it cannot be decoded, or has more than `MAX_PIXELS`; says why.
    """
    formats = image_formats.readable_formats()
    import PIL.Image

    if not encoded:
        raise ValueError("the file is empty")
    try:
        with PIL.Image.open(io.BytesIO(encoded), formats=formats) as image:
            require_size(image.width, image.height)
            image.load()
            return _to_rgb(_turn(image))
    except PIL.UnidentifiedImageError as error:
        found = image_formats.recognize(encoded[: image_formats.HEAD_BYTES])
        if found and found.name not in formats:
            raise ValueError(f"to read {found.name}, pip install {found.package}") from error
        raise ValueError(f"not an image: begins with {encoded[:8]!r}") from error
    except Exception as error:  # damaged files make Pillow's plugins raise anything
        raise ValueError(f"cannot be decoded: {error}") from error


def require_size(width: int, height: int) -> None:
    """Refuses an image of more than `MAX_PIXELS`, by a ValueError."""
    if width * height > MAX_PIXELS:
        raise ValueError(f"{width} x {height} pixels; the limit is {MAX_PIXELS} in all")


def _turn(image):
    """A Pillow image rotated as its metadata say."""
    import PIL.ImageOps

    try:
        return PIL.ImageOps.exif_transpose(image)
    except Exception:  # of damaged metadata, whose pixels are whole: viewers show them as they are
        return image


def _to_rgb(image):
    """The pixels of a Pillow image, uint8."""
    if image.mode == "F":
        raise ValueError("its pixels are floating-point numbers, whose range is not known")
    if image.mode not in DEEP:
        return np.asarray(image.convert("RGB"))
    values = np.asarray(image).astype(np.int64)
    if values.min() < 0 or values.max() > 0xFFFF:
        raise ValueError(f"its pixels have more than 16 bits: {values.min()} to {values.max()}")
    return np.stack([(values >> 8).astype(np.uint8)] * 3, axis=-1)
