"""Images for the tests: smooth ones of known content, and the kinds that are found in the wild."""

import io
import struct
import zlib

import numpy as np
import PIL.Image


def picture(height=48, width=64, seed=0):
    """A smooth colorful image, uint8 `(height, width, 3)`; every seed gives another."""
    y, x = np.mgrid[:height, :width] / 16
    phases = np.random.default_rng(seed).uniform(0, 6, (3, 2))
    channels = [np.sin(y + a) * np.cos(x + b) for a, b in phases]
    return np.rint(127.5 + 120 * np.stack(channels, axis=-1)).astype("uint8")


def encode(image, form="JPEG", **options):
    """An image's bytes in a format."""
    file = io.BytesIO()
    if not isinstance(image, PIL.Image.Image):
        image = PIL.Image.fromarray(image)
    image.save(file, form, **({"quality": 95} if form == "JPEG" else {}), **options)
    return file.getvalue()


def rotated(image, orientation, endian="II"):
    """A JPEG with an Exif orientation, written byte by byte."""
    order = "<" if endian == "II" else ">"
    entries = struct.pack(f"{order}HHHIHH", 1, 0x0112, 3, 1, orientation, 0)
    exif = b"Exif\0\0" + endian.encode() + struct.pack(f"{order}HI", 42, 8) + entries + bytes(4)
    segment = b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif
    jpeg = encode(image)
    return jpeg[:2] + segment + jpeg[2:]


def deep_png(image, channels):
    """A PNG of 16 bits: those of `image` in the upper byte, 0x80 in the lower."""
    height, width = image.shape[:2]
    image = image[..., :channels].astype(">u2") * 256 + 0x80
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in image)
    header = struct.pack(">IIBBBBB", width, height, 16, {1: 0, 3: 2}[channels], 0, 0, 0)

    parts = (b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(*part) for part in parts)


def png_chunk(kind, content):
    """A chunk of a PNG: what it is called, and what it holds."""
    crc = struct.pack(">I", zlib.crc32(kind + content))
    return struct.pack(">I", len(content)) + kind + content + crc


def animation(first):
    """A GIF of two frames."""
    frames = [PIL.Image.fromarray(frame).quantize(64) for frame in (first, 255 - first)]
    return encode(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=90)


def write_folder(folder, per_class=8, classes=("ant", "bee"), splits=("train", "val")):
    """An image folder of JPEGs; every image has its own pixels."""
    seed = 0
    for split in splits:
        for name in classes:
            for number in range(per_class):
                path = folder / split / name / f"{number:03}.jpg"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(encode(picture(seed=seed)))
                seed += 1
    return folder
