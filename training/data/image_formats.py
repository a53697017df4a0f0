"""Which formats of images are read, and how a file of each is recognized by its first bytes."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import re
import warnings

from keras_ghostnet import extras

HEAD_BYTES = 64  # of a file, by which its format is recognized


@dataclasses.dataclass(frozen=True)
class ImageFormat:
    """A format of image files.

    Attributes:
        name: Pillow's name for it.
        head: How such a file begins, a regular expression over bytes; None if nothing identifies it
            from other files: then its suffix must.
        suffixes: File names that end so are taken for images without looking into the file.
        package: What reads it, a name on PyPI.
    """

    name: str
    head: bytes | None
    suffixes: tuple[str, ...] = ()
    package: str = "pillow"


# In the order in which a file is tried. Only these are ever decoded: some of Pillow's other
# formats start programs, e.g. Ghostscript. `.heic` and `.avif` are no suffixes to trust: phones
# and websites give these names to JPEGs, and not every Pillow reads the formats.
IMAGE_FORMATS = (
    ImageFormat("JPEG", rb"\xff\xd8\xff", (".jpg", ".jpeg", ".jpe", ".jfif", ".jif")),
    ImageFormat("PNG", rb"\x89PNG\r\n\x1a\n", (".png", ".apng")),
    ImageFormat("GIF", rb"GIF8[79]a", (".gif",)),
    ImageFormat("BMP", rb"BM.{12}[\x0c\x28\x34\x38\x40\x6c\x7c]\0\0\0", (".bmp", ".dib")),
    ImageFormat("WEBP", rb"RIFF.{4}WEBP", (".webp",)),
    ImageFormat("TIFF", rb"II[*+]\0|MM\0[*+]", (".tif", ".tiff")),
    ImageFormat(
        "JPEG2000",
        rb"\0\0\0\x0cjP  \r\n|\xff\x4f\xff\x51",
        (".jp2", ".j2k", ".jpc", ".jpf", ".jpx"),
    ),
    ImageFormat("PPM", rb"P[1-6]\s+[#\d]", (".ppm", ".pgm", ".pbm", ".pnm")),
    # The brand, or one of those that the file says it is compatible with.
    ImageFormat("AVIF", rb".{4}ftyp(?:.{8}(?:.{4})*?)?avi[fs]", package="pillow>=11.3"),
    ImageFormat("HEIF", rb".{4}ftyp(?:hei[cmsx]|hev[cmsx]|mif1|msf1)", package="pillow-heif"),
    ImageFormat("ICO", None, (".ico",)),
    ImageFormat("TGA", None, (".tga",)),
)
HEADLESS = {each.name for each in IMAGE_FORMATS if not each.head}
SUFFIXES = {suffix: each.name for each in IMAGE_FORMATS for suffix in each.suffixes}
# Raw files of cameras look like TIFF, and their first image is a thumbnail.
CAMERA_RAW = re.compile(
    r"\.(?:3fr|arw|cr2|dcr|dng|erf|iiq|kdc|mef|mos|nef|nrw|orf|pef|raw|rw2|sr2|srw)"
)


def recognize(head: bytes) -> ImageFormat | None:
    """The format of a file.

    Args:
        head: Its first `HEAD_BYTES`, or more.

    Returns:
        An `ImageFormat`, or None if the bytes begin like none that can be recognized.
    """
    return next(
        (each for each in IMAGE_FORMATS if each.head and re.match(each.head, head, re.DOTALL)), None
    )


@functools.cache
def readable_formats() -> tuple[str, ...]:
    """Pillow's names of the formats that can be decoded here, in the order of the table.

    Raises:
        ImportError: If Pillow is missing.
    """
    extras.require("PIL", purpose="Reading images", extra="train")
    import PIL.features
    import PIL.Image

    with contextlib.suppress(ImportError):
        import pillow_heif

        pillow_heif.register_heif_opener()
    PIL.Image.init()
    # `decoding.decode` has a limit of its own, and refuses more by name.
    warnings.filterwarnings("ignore", category=PIL.Image.DecompressionBombWarning)
    # Pillow lists these even where it was built without their libraries.
    libraries = {"AVIF": "avif", "JPEG2000": "jpg_2000", "WEBP": "webp"}
    return tuple(
        each.name
        for each in IMAGE_FORMATS
        if each.name in PIL.Image.OPEN
        and (each.name not in libraries or PIL.features.check(libraries[each.name]))
    )
