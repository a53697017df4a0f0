"""A small data set of images with maps of classes, for tests."""

import pathlib

import numpy as np
import PIL.Image

CLASSES = ("ground", "red", "green", "blue")
COLORS = np.array([(20, 20, 20), (220, 40, 40), (40, 220, 40), (40, 40, 220)], "uint8")
CELL = 8  # pixels of a square's side


def make_scenes(count, size=(32, 32), seed=0):
    """Squares of random classes in their colors.

    Returns:
        Images, uint8 `(count, *size, 3)`, and their maps, uint8 `(count, *size)`.
    """
    random = np.random.default_rng(seed)
    cells = random.integers(len(CLASSES), size=(count, size[0] // CELL, size[1] // CELL))
    maps = cells.repeat(CELL, axis=1).repeat(CELL, axis=2).astype("uint8")
    noise = random.integers(-15, 16, (*maps.shape, 3))
    return np.clip(COLORS[maps].astype(int) + noise, 0, 255).astype("uint8"), maps


def write_folder(folder, train=16, val=8, size=(32, 32), suffix="jpg"):
    """Writes `train/images/*`, `train/masks/*` and the same of `val`, with `classes.txt`."""
    folder = pathlib.Path(folder)
    for seed, (split, count) in enumerate((("train", train), ("val", val))):
        for kind in ("images", "masks"):
            (folder / split / kind).mkdir(parents=True)
        for number, (image, labels) in enumerate(zip(*make_scenes(count, size, seed), strict=True)):
            name = f"{number:03}"
            write_image(folder / split / "images" / f"{name}.{suffix}", image)
            write_image(folder / split / "masks" / f"{name}.png", labels)
    (folder / "classes.txt").write_text("\n".join(CLASSES) + "\n")
    return folder


def write_image(path, pixels):
    """Writes an image file, a JPEG with little loss."""
    path.parent.mkdir(parents=True, exist_ok=True)
    PIL.Image.fromarray(pixels).save(path, quality=95, subsampling=0)
