"""Predictions as a table for spreadsheets, as a page with thumbnails, or as masks."""

import collections
import csv
import os
import pathlib
from collections.abc import Sequence

from keras_ghostnet import extras, files
from keras_ghostnet.export.prediction import Prediction
from keras_ghostnet.export.prediction_page import render_page

SUFFIXES = (".csv", ".html")


def require_writable(path: str | os.PathLike[str]) -> None:
    """Tells before images are classified whether their report can be written.

    Raises:
        ImportError: If a package that pages need is missing.
        OSError: If there is a folder of that name, or its folder cannot be written to.
        ValueError: If the name ends in none of `SUFFIXES`.
    """
    path = pathlib.Path(path)
    if path.suffix not in SUFFIXES:
        raise ValueError(f"A report ends in {' or '.join(SUFFIXES)}. Received: {path.name}")
    files.require_place(path)
    if path.suffix == ".html":
        extras.require("jinja2", "PIL", extra="train", purpose="A page of predictions")


def write_report(path: str | os.PathLike[str], predictions: Sequence[Prediction]) -> None:
    """Writes predictions to a file, `.csv` or `.html`.

    On a page those come first that contradict the folder that an image lies in, the most
    confident of them on top; masks are drawn beside their images.

    Args:
        path: The file to write, which replaces one of that name.
        predictions: Of image files, by `predict`.

    Raises:
        As `require_writable`.
    """
    require_writable(path)
    with files.replacing(path) as partial:
        if pathlib.Path(path).suffix == ".csv":
            _write_csv(partial, predictions)
        else:
            partial.write_text(render_page(predictions), "utf-8")


def figure_of(predictions: Sequence[Prediction]) -> str:
    """What the figures of the classes are: `"probability"`, or `"pixels"`, the fraction of them."""
    return "pixels" if predictions and predictions[0].mask is not None else "probability"


def write_masks(folder: str | os.PathLike[str], predictions: Sequence[Prediction]) -> None:
    """Writes the masks of images, each a PNG as masks to train on are.

    They have the images' names and folders below the one that all images are in; two images that
    differ in their suffix alone keep it within the name.

    Args:
        folder: For the masks.
        predictions: Of image files, by `predict`, with masks.

    Raises:
        OSError: If the folder cannot be written to.
        ValueError: If the model classifies whole images.
    """
    from keras_ghostnet.training.data.label_maps import write_map

    masks = [each.mask for each in predictions if each.mask is not None]
    if len(masks) < len(predictions):
        raise ValueError("The model classifies whole images: it has no masks. Leave --masks out.")
    for name, mask in zip(_mask_names(predictions), masks, strict=True):
        with files.replacing(pathlib.Path(folder, name)) as partial:
            write_map(partial, mask.classes)


def _mask_names(predictions):
    paths = [pathlib.PurePath(each.image) for each in predictions]
    base = os.path.commonpath([path.parent for path in paths])
    paths = [path.relative_to(base) for path in paths]
    taken = collections.Counter(path.with_suffix("") for path in paths)
    return [
        path.with_name(f"{path.name if taken[path.with_suffix('')] > 1 else path.stem}.png")
        for path in paths
    ]


def _write_csv(path, predictions):
    figure = figure_of(predictions)
    ranks = range(1, max((len(each.classes) for each in predictions), default=0) + 1)
    pairs = (f"{column} {rank}" for rank in ranks for column in ("class", figure))
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["image", "folder's class", *pairs])
        for each in predictions:
            cells = (cell for name, share in each.classes for cell in (name, f"{share:.6f}"))
            writer.writerow(map(files.cell, [each.image, each.label or "", *cells]))
