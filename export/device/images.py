"""Image files as a network takes them: copied beside `run.py` for its `--inputs`."""

import json
import os

import numpy as np

FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")  # none that starts programs


def read(paths, given, model):
    """Reads images as evaluation sees them; the JSON file beside the model says how.

    Pillow's bicubic resizing rounds to whole gray levels, TensorFlow's does not.

    Args:
        paths: The files.
        given: What the user named: a folder, or a file.
        model: A `run.ImageModel`.

    Returns:
        `(n, height, width, 3)`, float32, in the unit that the network takes.

    Raises:
        ImportError: If Pillow is missing.
        FileNotFoundError: If the JSON file is missing.
        ValueError: If a file is no image, or there are none.
    """
    try:
        from PIL import Image, ImageOps
    except ImportError as error:
        raise ImportError(
            f"{given} is no array of images; image files take Pillow: pip install pillow"
        ) from error
    if not os.path.isfile(f"{model.path}.json"):
        raise FileNotFoundError(
            f"{model.path}.json, which says how images are prepared, is missing. Copy it, too."
        )
    with open(f"{model.path}.json", encoding="utf-8") as file:
        preparation = json.load(file)["preprocessing"]
    size, crop, images = np.array(preparation["size"]), preparation["crop"], []
    for path in paths:
        try:
            with Image.open(path, formats=FORMATS) as image:
                picture = ImageOps.exif_transpose(image).convert("RGB")
        except (OSError, ValueError, Image.DecompressionBombError) as error:
            raise ValueError(f"{path} is no image that Pillow can read: {error}") from error
        # The whole image is resized so that `size / crop` fits; the window in its middle is seen.
        sides = np.array(picture.size[::-1])
        resized = np.round(sides * np.max(np.round(size / crop) / sides))
        corner = np.floor((resized - size) / 2)
        (top, left), (bottom, right) = (x * sides / resized for x in (corner, corner + size))
        box, (height, width) = (left, top, right, bottom), map(int, size)
        images.append(np.asarray(picture.resize((width, height), Image.BICUBIC, box)))
    if not images:
        raise ValueError(f"{given} holds no images.")
    pixels = np.stack(images).astype("float32")
    if preparation["normalization_in_artifact"]:
        return pixels
    mean, std = (np.array(preparation[name], "float32") for name in ("mean", "std"))
    return (pixels / 255 - mean) / std
