"""Files become the very input that evaluation feeds to the network."""

import io
import re
import struct

import numpy as np
import PIL.Image
import pytest
import tensorflow as tf

from keras_ghostnet.export.saved_model.decoding import evaluation_image
from keras_ghostnet.training.data import decoding, images
from tests.export.saved_model.requests import BROKEN, png_header
from tests.training.photographs import deep_png, encode, picture, rotated

SIZE = (40, 56)
LEVEL = 1 / 255 / 0.224  # of a pixel's 256, after normalization


def evaluated(encoded, crop=0.875):
    """The same by the trainer's decoder, which is Pillow."""
    return images.normalize(images.center_crop(decoding.decode(encoded), SIZE, crop)).numpy()


@tf.function(input_signature=[tf.TensorSpec((), tf.string)])
def served(encoded):
    return evaluation_image(encoded, SIZE)


def check(encoded, levels):
    image, error = served(encoded)
    assert error == b""
    np.testing.assert_allclose(image, evaluated(encoded), rtol=0, atol=levels * LEVEL)


def pillow(mode, form):
    return encode(PIL.Image.fromarray(picture(90, 120)).convert(mode), form)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P", "1"])
def test_kinds_of_png(mode):
    check(pillow(mode, "PNG"), levels=0.01)


@pytest.mark.parametrize("channels", [1, 3])
def test_of_16_bits_the_upper_8_count(channels):
    check(deep_png(picture(90, 120), channels), levels=0.01)


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_kinds_of_jpeg(mode):
    check(pillow(mode, "JPEG"), levels=2)


def test_a_progressive_jpeg():
    check(encode(picture(90, 120), progressive=True), levels=2)


@pytest.mark.parametrize("endian", ["II", "MM"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_photographs_are_turned(orientation, endian):
    check(rotated(picture(90, 120), orientation, endian), levels=2)


def test_an_orientation_behind_other_entries():
    image = PIL.Image.fromarray(picture(90, 120))
    exif = image.getexif()
    exif[0x0112], exif[0x010F], exif[0x0110] = 6, "a maker", "a camera"
    file = io.BytesIO()
    image.save(file, "JPEG", exif=exif)
    check(file.getvalue(), levels=2)


def test_a_comment_is_no_orientation():
    comment = b"\x12\x01\x03\x00\x01\x00\x00\x00\x06\x00"
    jpeg = encode(picture(90, 120))
    jpeg = jpeg[:2] + b"\xff\xfe" + struct.pack(">H", len(comment) + 2) + comment + jpeg[2:]
    assert re.fullmatch(decoding.ROTATED.encode().replace(rb"\C", rb"."), jpeg)  # it looks like one
    check(jpeg, levels=2)


def test_another_crop():
    encoded = encode(picture(90, 120), "PNG")
    image, _ = evaluation_image(tf.constant(encoded), SIZE, crop=1.0)
    np.testing.assert_allclose(image, evaluated(encoded, crop=1.0), atol=1e-6)
    assert np.abs(image - evaluated(encoded)).max() > 0.1


@pytest.mark.parametrize("kind", BROKEN)
def test_what_cannot_be_used_is_named(kind):
    encoded, message = BROKEN[kind]
    image, error = served(encoded)
    assert message in error.numpy()
    assert not image.numpy().any()


@pytest.mark.parametrize("form", ["JPEG", "PNG"])
def test_the_limit_is_inclusive(form):
    encoded = encode(picture(30, 40), form)
    for limit, refused in ((1200, False), (1199, True)):
        _, error = evaluation_image(tf.constant(encoded), SIZE, max_pixels=limit)
        assert (error != b"") == refused
    assert b"40 x 30 pixels; the limit is 1199" in error.numpy()


def test_a_size_below_the_limit_is_decoded():
    filler = bytes(5000 * 10_000 // (8 * 1032))
    _, error = served(png_header(5000, 10_000) + filler)
    assert b"damaged" in error.numpy()


@pytest.mark.parametrize("form", ["JPEG", "PNG"])
def test_more_pixels_than_the_bytes_can_hold(form):
    """A decoder would fill up what is missing, or answer after all of it."""
    if form == "JPEG":
        encoded = bytearray(encode(picture(16, 16)))
        start = encoded.index(b"\xff\xc0") + 5
        encoded[start : start + 4] = struct.pack(">HH", 7000, 7000)
    else:
        encoded = png_header(7000, 7000)
    _, error = served(bytes(encoded))
    assert error == f"The image's {len(encoded)} bytes cannot hold 7000 x 7000 pixels.".encode()


@pytest.mark.parametrize("progressive", [False, True])
def test_the_smallest_files_of_many_pixels(progressive):
    """One color: as few bytes as an encoder can make of it."""
    flat = PIL.Image.new("L", (2048, 2048))
    jpeg = encode(flat, progressive=progressive, optimize=True)
    for encoded in (jpeg, encode(flat.convert("1"), "PNG")):
        assert served(encoded)[1] == b""
