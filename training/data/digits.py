"""The handwritten digits that scikit-learn ships, as an image folder: data without a download.

1,797 gray images of 8 x 8 pixels: the test part of *Optical Recognition of Handwritten Digits*
(Alpaydin and Kaynak, UCI Machine Learning Repository, 1998), written by 13 people.
"""

import os
import pathlib

import numpy as np

from keras_ghostnet import extras, files

SPLITS = ("train", "val")
HELD_OUT = 0.2  # fraction of every class that goes to "val"
WHITE = 16  # the largest value of scikit-learn's pixels


def write_digits(
    directory: str | os.PathLike[str], *, seed: int = 0, images_per_class: int | None = None
) -> pathlib.Path:
    """Writes the digits as `train/<class>/*.png` and `val/<class>/*.png`.

    A fifth of every class is held out as `val`. The PNGs are 8 x 8, gray, 0 (paper) to 255
    (ink). A folder that is complete already is left as it is, whatever seed it was written
    with; it appears whole or not at all.

    Args:
        directory: The folder to write, e.g. `"data/digits"`.
        seed: Decides which images are held out.
        images_per_class: Takes only so many images of every class, for quick trials; None
            takes all, about 180.

    Returns:
        The folder, a `pathlib.Path`.

    Raises:
        ImportError: If scikit-learn or pillow is missing.
        FileExistsError: If the folder holds something else.
        ValueError: If `images_per_class` leaves a class without a held-out image.
    """
    directory = pathlib.Path(directory)
    if images_per_class is not None and images_per_class < 1 / HELD_OUT:
        raise ValueError(
            f"`images_per_class` must be at least {round(1 / HELD_OUT)}, so that every class has "
            f"a held-out image. Received: images_per_class={images_per_class}."
        )
    images, labels = _load()
    split = _split(labels, seed, images_per_class)
    if directory.exists() and any(directory.iterdir()):
        _check_complete(directory, sum(len(indices) for indices in split.values()))
        return directory
    with files.replacing(directory) as partial:
        for name, indices in split.items():
            for index in indices:
                _write(images[index], partial / name / str(labels[index]) / f"{index:04}.png")
    return directory


def _load():
    """Images `(1797, 8, 8)`, uint8 in [0, 255], and labels `(1797,)`."""
    extras.require("sklearn", "PIL", purpose="The data source `digits`", extra="train")
    from sklearn import datasets

    digits = datasets.load_digits()
    return np.rint(digits.images * (255 / WHITE)).astype("uint8"), digits.target


def _split(labels, seed, images_per_class):
    """The indices of both splits: of every class the same part, chosen by `seed`."""
    random = np.random.default_rng(seed)
    split = {name: [] for name in SPLITS}
    for label in np.unique(labels):
        indices = random.permutation(np.flatnonzero(labels == label))[:images_per_class]
        held_out = round(len(indices) * HELD_OUT)
        split["train"].extend(indices[held_out:])
        split["val"].extend(indices[:held_out])
    return split


def _write(image, path):
    import PIL.Image

    path.parent.mkdir(parents=True, exist_ok=True)
    PIL.Image.fromarray(image).save(path)


def _check_complete(directory, expected):
    found = sum(len(list((directory / name).glob("?/????.png"))) for name in SPLITS)
    if found != expected:
        raise FileExistsError(
            f"{directory} exists and does not hold the digits: expected {expected} images "
            f"train/<class>/*.png and val/<class>/*.png, found {found}. Choose another folder or "
            "remove this one."
        )
