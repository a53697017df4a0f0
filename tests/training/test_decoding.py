"""Decoding, against Pillow: every kind of file, however rotated, and what is no image."""

import io
import struct
import zlib

import numpy as np
import PIL.Image
import pytest

from keras_ghostnet.export.saved_model.decoding import orientation
from keras_ghostnet.training.data import decoding
from tests.training import photographs
from tests.training.photographs import encode, picture

PICTURE = picture(120, 160)
PIL_PICTURE = PIL.Image.fromarray(PICTURE)


def pillow(encoded):
    return np.asarray(PIL.Image.open(io.BytesIO(encoded)).convert("RGB"))


@pytest.mark.parametrize("form", ["JPEG", "PNG", "BMP", "GIF"])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_usual_files_are_decoded_as_pillow_does(form, mode):
    encoded = encode(PIL_PICTURE.convert(mode), form)
    assert bool(decoding.is_plain(encoded)) == (
        form in ("JPEG", "PNG") or (form, mode) == ("BMP", "RGB")
    )
    if decoding.is_plain(encoded):
        np.testing.assert_array_equal(decoding.decode_plain(encoded), pillow(encoded))
    np.testing.assert_array_equal(decoding.decode(encoded), pillow(encoded))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("endian", ["II", "MM"])
def test_photographs_are_turned_as_exif_says(orientation, endian):
    turns = {
        1: lambda x: x,
        2: lambda x: x[:, ::-1],
        3: lambda x: x[::-1, ::-1],
        4: lambda x: x[::-1],
        5: lambda x: x.transpose(1, 0, 2),
        6: lambda x: np.rot90(x, -1),
        7: lambda x: np.rot90(x, 2).transpose(1, 0, 2),
        8: lambda x: np.rot90(x),
    }
    encoded = photographs.rotated(PICTURE, orientation, endian)
    assert bool(decoding.is_plain(encoded)) == (orientation == 1)
    stored = pillow(encode(PICTURE))
    np.testing.assert_array_equal(decoding.decode(encoded), turns[orientation](stored))


def segment(marker, content):
    """A segment of a JPEG's header."""
    return b"\xff" + bytes([marker]) + struct.pack(">H", len(content) + 2) + content


def exif(orientation, kind=3, order="<"):
    """Exif data that hold an orientation and nothing else, as an integer of a TIFF type."""
    value = struct.pack(order + {1: "B3x", 3: "H2x", 4: "I"}[kind], orientation)
    entry = struct.pack(f"{order}HHHI", 1, 0x0112, kind, 1) + value + bytes(4)
    return (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HI", 42, 8) + entry


def xmp(orientation):
    return b'<rdf:Description tiff:Orientation="%d"/>' % orientation


XMP_HEADER = b"http://ns.adobe.com/xap/1.0/\0"
XMP_CHUNK = b"XML:com.adobe.xmp\0%c\0\0\0"  # and whether it is compressed
EXIF_SEGMENT = segment(0xE1, b"Exif\0\0" + exif(6))
HEADERS = {  # of a JPEG that is to be rotated, in front of the rest
    "XMP first": segment(0xE1, XMP_HEADER + b" " * 60_000) + EXIF_SEGMENT,
    "a long comment first": segment(0xFE, b"x" * 5000) + EXIF_SEGMENT,
    "profiles first": 3 * segment(0xE2, b"ICC_PROFILE\0" + bytes(50_000)) + EXIF_SEGMENT,
    "a thumbnail first": segment(0xED, b"Photoshop 3.0\0" + encode(PICTURE)) + EXIF_SEGMENT,
    "XMP alone": segment(0xE1, XMP_HEADER + xmp(6)),
    "a long integer": segment(0xE1, b"Exif\0\0" + exif(6, 4)),
    "a long integer, big-endian": segment(0xE1, b"Exif\0\0" + exif(6, 4, ">")),
}
CHUNKS = {  # of a PNG that is to be rotated, and whether they follow the pixels
    "eXIf": (b"eXIf", exif(6), False),
    "eXIf at the end": (b"eXIf", exif(6), True),
    "XMP": (b"iTXt", XMP_CHUNK % 0 + xmp(6), False),
    "compressed XMP": (b"iTXt", XMP_CHUNK % 1 + zlib.compress(xmp(6)), False),
}
COMPRESSED = ("compressed XMP",)


@pytest.mark.parametrize("where", [*HEADERS, *CHUNKS])
def test_an_orientation_is_found_wherever_pillow_finds_it(where):
    if where in HEADERS:
        stored = encode(PICTURE)
        encoded = stored[:2] + HEADERS[where] + stored[2:]
    else:
        stored = encode(PICTURE, "PNG")
        kind, content, is_last = CHUNKS[where]
        at = stored.rindex(b"IEND") - 4 if is_last else stored.index(b"IDAT") - 4
        encoded = stored[:at] + photographs.png_chunk(kind, content) + stored[at:]
    expected = np.rot90(pillow(stored), -1)
    assert not decoding.is_plain(encoded)
    np.testing.assert_array_equal(decoding.decode(encoded), expected)
    if where not in COMPRESSED:
        assert orientation(encoded) == 6  # what is served


def test_exif_counts_more_than_xmp():
    stored = encode(PICTURE)
    header = segment(0xE1, XMP_HEADER + xmp(6)) + segment(0xE1, b"Exif\0\0" + exif(1))
    encoded = stored[:2] + header + stored[2:]
    np.testing.assert_array_equal(decoding.decode(encoded), pillow(stored))
    assert orientation(encoded) == 1


def test_damaged_metadata_spoil_no_image():
    stored = encode(PICTURE)
    damaged = segment(0xE1, b"Exif\0\0nonsense" + exif(6)[8:])
    encoded = stored[:2] + damaged + stored[2:]
    assert not decoding.is_plain(encoded)
    np.testing.assert_array_equal(decoding.decode(encoded), pillow(stored))


@pytest.mark.parametrize(
    ("pixels", "message"),
    [
        (np.full((4, 4), -70_000, "int32"), "more than 16 bits: -70000"),
        (np.zeros((4, 4), "float32"), "floating-point"),
    ],
)
def test_pixels_of_unknown_range_are_refused(pixels, message):
    with pytest.raises(ValueError, match=message):
        decoding.decode(encode(PIL.Image.fromarray(pixels), "TIFF"))


def test_four_inks():
    for mode in ("CMYK", "YCCK"):
        encoded = encode(PIL_PICTURE.convert("CMYK"), keep_rgb=False)
        if mode == "YCCK":  # the transform of Adobe's marker: its last byte
            at = encoded.index(b"Adobe") + 11
            encoded = encoded[:at] + b"\x02" + encoded[at + 1 :]
        assert not decoding.is_plain(encoded), mode
        assert decoding.decode(encoded).shape == PICTURE.shape
    error = decoding.decode(encode(PIL_PICTURE.convert("CMYK"))).astype(int) - PICTURE
    assert np.abs(error).mean() < 3  # JPEG's own; inverted CMYK would be 80 off


@pytest.mark.parametrize("channels", [1, 3])
def test_sixteen_bits(channels):
    encoded = photographs.deep_png(PICTURE, channels)
    expected = np.broadcast_to(PICTURE[..., :channels], PICTURE.shape)
    np.testing.assert_array_equal(decoding.decode_plain(encoded), expected)
    np.testing.assert_array_equal(decoding.decode(encoded), expected)


def test_animation_gives_its_first_frame():
    encoded = photographs.animation(PICTURE)
    assert PIL.Image.open(io.BytesIO(encoded)).n_frames == 2
    np.testing.assert_array_equal(decoding.decode(encoded), pillow(encoded))
    assert np.abs(decoding.decode(encoded).astype(int) - PICTURE).mean() < 20  # few colors


def test_palettes_are_colors():
    """TensorFlow reads the indices of a BMP's palette as grays."""
    palette = PIL_PICTURE.quantize(64)
    for form in ("BMP", "GIF", "PNG"):
        encoded = encode(palette, form)
        np.testing.assert_array_equal(decoding.decode(encoded), np.asarray(palette.convert("RGB")))
        if decoding.is_plain(encoded):
            np.testing.assert_array_equal(decoding.decode_plain(encoded), pillow(encoded))


def of_size(form, height, width):
    """A small picture whose header promises a larger one."""
    encoded = bytearray(encode(PICTURE, form))
    if form == "JPEG":
        at = encoded.index(b"\xff\xc0") + 5
        encoded[at : at + 4] = struct.pack(">HH", height, width)
    elif form == "PNG":
        encoded[16:24] = struct.pack(">II", width, height)
        encoded[29:33] = struct.pack(">I", zlib.crc32(encoded[12:29]))
    elif form == "BMP":
        encoded[18:26] = struct.pack("<ii", width, height)
    else:
        encoded[6:10] = struct.pack("<HH", width, height)
    return bytes(encoded)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "BMP", "GIF"])
def test_more_pixels_than_a_photograph_has_are_refused_before_they_are_decoded(form):
    for sides, message in (
        ((12_000, 13_000), "13000 x 12000 pixels; the limit is 134217728 in all"),
        ((65_000, 65_500), "pixels"),  # Pillow's own limit
    ):
        encoded = of_size(form, *sides)
        assert not decoding.is_plain(encoded)
        with pytest.raises(ValueError, match=message):
            decoding.decode(encoded)
    assert bool(decoding.is_plain(of_size(form, 11_000, 12_000))) == (form != "GIF")


def test_no_program_is_started():
    """PostScript, for which Pillow starts Ghostscript, is no image, whatever its name."""
    with pytest.raises(ValueError, match="not an image: begins with b'%!PS"):
        decoding.decode(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n")


def test_webp():
    encoded = encode(PICTURE, "WEBP", lossless=True)
    assert not decoding.is_plain(encoded)
    np.testing.assert_array_equal(decoding.decode(encoded), PICTURE)


@pytest.mark.parametrize(
    ("encoded", "reason"),
    [
        (b"", "empty"),
        (b"<html>404</html>", r"not an image: begins with b'<html>40'"),
        (encode(PICTURE)[:-900], "truncated"),
        (encode(PICTURE, "PNG")[:-900], "cannot be decoded"),
        (encode(PICTURE)[:20], "image"),
    ],
)
def test_what_cannot_be_decoded_says_why(encoded, reason):
    with pytest.raises(ValueError, match=reason):
        decoding.decode(encoded)
