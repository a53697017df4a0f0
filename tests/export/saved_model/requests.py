"""Short ways to ask a session, and files that cannot be used."""

import struct
import zlib

import tensorflow as tf

from keras_ghostnet.export.saved_model.session import predict_request
from tests.training.photographs import encode, picture


def ask(session, signature, **inputs):
    """A signature's outputs for its inputs, as arrays by name."""
    response = session.predict(predict_request(inputs, signature))
    return {key: tf.make_ndarray(proto) for key, proto in response.outputs.items()}


def png_header(width, height):
    """A PNG that says to be of this size and holds next to nothing."""

    def chunk(kind, data):
        crc = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + crc

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    body = chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + header + body


JPEG, PNG = (encode(picture(), form) for form in ("JPEG", "PNG"))
# What is sent, and what the error must say.
BROKEN = {
    "truncated JPEG": (JPEG[: len(JPEG) // 2], b"are damaged or cut off"),
    "JPEG of a header": (JPEG[:30], b"its 30 bytes are damaged"),
    "truncated PNG": (PNG[: len(PNG) // 2], b"are damaged or cut off"),
    "PNG of a signature": (PNG[:8], b"its 8 bytes are damaged"),
    "PNG of no height": (png_header(30, 0), b"are damaged or cut off"),
    "not an image": (b"GET / HTTP/1.1", b"neither JPEG nor PNG"),
    "GIF": (encode(picture(), "GIF"), b"neither JPEG nor PNG"),
    "BMP": (encode(picture(), "BMP"), b"neither JPEG nor PNG"),
    "empty": (b"", b"empty"),
    "huge PNG": (png_header(30_000, 30_000), b"30000 x 30000 pixels; the limit is 50000000"),
    "wide PNG": (png_header(2**31 - 1, 3), b"2147483647 x 3 pixels"),
    # Their products are 0 in 32 bits, and negative in 64.
    "PNG of 65536": (png_header(2**16, 2**16), b"65536 x 65536 pixels"),
    "PNG of the largest size": (png_header(2**32 - 1, 2**32 - 1), b"4294967295 x 4294967295"),
}
