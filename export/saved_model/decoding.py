"""From an image file's bytes to the network's input, within the graph, as evaluation does it.

A file that cannot be used fails nothing: it yields an error text, as it may share a batch with
the files of others.
"""

import tensorflow as tf

from keras_ghostnet.training.data import decoding, images

MAX_PIXELS = 50_000_000  # 150 MB decoded; a PNG of a few kilobytes can hold a thousand times that
# That a byte of a JPEG or a PNG holds: the first takes a bit at least for every 8 x 8; of the
# second's pixels of a bit, compression makes 1032 times as many at most.
MOST_PIXELS = 8 * 64, 8 * 1032
# The orientation among the entries, of 12 bytes each, of the Exif directory that follows its
# header at once, as cameras write it, in a JPEG or a PNG and in either byte order.
ENTRIES = r"\C\C(?:\C{12}){0,40}?"
EXIF = (
    r"(?s)\C*?(?:Exif\x00\x00|eXIf)(?:"
    rf"II\*\x00\x08\x00\x00\x00{ENTRIES}\x12\x01[\x03\x04]\x00\x01\x00\x00\x00([\x01-\x08])\x00"
    rf"|MM\x00\*\x00\x00\x00\x08{ENTRIES}\x01\x12\x00[\x03\x04]\x00\x00\x00\x01(?:\x00\x00)?\x00([\x01-\x08])"
    r")\C*"
)
XMP = r"(?s)\C*?tiff:Orientation(?:=\"|>)([1-8])\C*"
DIGIT = 0x0F  # the bits of an ASCII digit that are its value


def evaluation_image(encoded, size, crop=0.875, max_pixels=MAX_PIXELS, prepare=images.normalize):
    """Decodes, crops and normalizes an image, or says why that is impossible.

    Args:
        encoded: A JPEG's or PNG's bytes, a scalar string tensor.
        size: `(height, width)` of the result.
        crop: As `keras_ghostnet.training.data.images.center_crop`.
        max_pixels: Images of more are refused by their header, before they are decoded.
        prepare: Function of the pixels, float32 in [0, 255], that returns what the network takes.

    Returns:
        The image, float32 `(*size, 3)`, and the error, a scalar string that is empty if there is
        none; with an error the image is all 0.
    """

    def nothing(error):
        return tf.zeros((*size, images.CHANNELS)), error

    def usable(encoded):
        picture = rotate(decoding.decode_plain(encoded), orientation(encoded))
        return prepare(images.center_crop(picture, size, crop)), ""

    def attempt(encoded):
        error = _error(encoded, max_pixels)
        return tf.cond(error == "", lambda: usable(encoded), lambda: nothing(error))

    def damaged(encoded):
        count = tf.strings.as_string(tf.strings.length(encoded))
        return nothing(
            tf.strings.join(
                ["The image cannot be decoded: its ", count, " bytes are damaged or cut off."]
            )
        )

    # Only a dataset can go on after an op that fails.
    file = tf.data.Dataset.from_tensors(encoded)
    results = file.map(attempt).ignore_errors().concatenate(file.map(damaged))
    return results.take(1).get_single_element()


def orientation(encoded):
    """The orientation in an image's metadata, an int32 scalar from 1 to 8; 1 if none.

    Exif counts, and XMP where that has none, as with Pillow.
    """
    metadata = tf.cond(
        decoding.is_jpeg(encoded),
        lambda: decoding.jpeg_metadata(encoded),
        lambda: decoding.png_metadata(encoded),
    )

    def recorded():
        value = tf.constant(b"\x01")
        for pattern, groups in ((XMP, r"\1"), (EXIF, r"\1\2")):
            found = tf.strings.regex_replace(metadata, pattern, groups)
            value = tf.where(tf.strings.regex_full_match(metadata, pattern), found, value)
        return tf.cast(tf.io.decode_raw(value, tf.uint8)[0], tf.int32) & DIGIT

    # To extract takes longer than to see that most have none.
    rotated = tf.strings.regex_full_match(metadata, decoding.ROTATED)
    return tf.cond(rotated, recorded, lambda: tf.constant(1))


def rotate(image, orientation):
    """Turns an image `(height, width, channels)` as its orientation says."""
    image = tf.cond(orientation > 4, lambda: tf.transpose(image, (1, 0, 2)), lambda: image)
    for axis, orientations in ((0, (3, 4, 7, 8)), (1, (2, 3, 6, 7))):
        mirrored = tf.reduce_any(orientation == orientations)
        image = tf.cond(mirrored, lambda i=image, a=axis: tf.reverse(i, [a]), lambda i=image: i)
    return image


def _error(encoded, max_pixels):
    """Why a file is not to be decoded, a string; empty if nothing is known against it.

    Raises:
        tf.errors.InvalidArgumentError: If its header is damaged.
    """
    is_jpeg = decoding.is_jpeg(encoded)
    is_png = decoding.is_png(encoded)

    def size():
        height, width = tf.unstack(
            tf.cond(is_jpeg, lambda: _jpeg_size(encoded), lambda: decoding.png_size(encoded))
        )
        shape = tf.strings.join([tf.strings.as_string(width), tf.strings.as_string(height)], " x ")
        length = tf.cast(tf.strings.length(encoded), tf.int64)
        most = length * tf.where(is_jpeg, *(tf.constant(x, tf.int64) for x in MOST_PIXELS))

        def within(limit):
            return height <= limit // tf.maximum(width, 1)  # the product may exceed 64 bits

        return tf.where(
            within(max_pixels),
            tf.where(
                within(most),
                "",
                tf.strings.join(
                    ["The image's ", tf.strings.as_string(length), " bytes cannot hold ", shape]
                    + [" pixels."]
                ),
            ),
            tf.strings.join(
                ["The image has ", shape, f" pixels; the limit is {max_pixels} in all. Shrink it."]
            ),
        )

    return tf.case(
        [
            (encoded == "", lambda: tf.constant("The image is empty: 0 bytes.")),
            (
                ~is_jpeg & ~is_png,
                lambda: tf.constant("Not an image that is served: neither JPEG nor PNG."),
            ),
        ],
        default=size,
    )


def _jpeg_size(encoded):
    return tf.cast(tf.io.extract_jpeg_shape(encoded)[:2], tf.int64)
