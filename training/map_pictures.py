"""Pictures of maps of classes, as PNG files: each class has a color, over the image."""

import os
from collections.abc import Sequence

import keras
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from keras_ghostnet.preprocessing import normalize, to_pixels
from keras_ghostnet.training import pictures
from keras_ghostnet.training.data import Pipeline
from keras_ghostnet.training.data.label_maps import IGNORED, colors_of_classes

SHOWN = 8  # images
LEGEND = 24  # classes, the most frequent ones
OPACITY = 0.65  # of the colors over an image


def overlay(pixels: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Images under the colors of their classes; pixels without a class (255) stay as they are.

    Args:
        pixels: `(..., height, width, 3)`, in [0, 255].
        labels: Integers `(..., height, width)`.

    Returns:
        uint8 of the shape of `pixels`.
    """
    colors = colors_of_classes(IGNORED + 1)[labels]
    mixed = OPACITY * colors + (1 - OPACITY) * pixels
    return np.rint(np.where((labels == IGNORED)[..., None], pixels, mixed)).astype(np.uint8)


def draw_maps(
    images: np.ndarray,
    rows: dict[str, np.ndarray],
    class_names: Sequence[str],
    path: str | os.PathLike[str],
) -> None:
    """Images, and below each its maps of classes over it, as a PNG.

    Args:
        images: `(n, height, width, 3)`, normalized as the network takes them; the first are drawn.
        rows: From a row's title to maps, integers `(n, height, width)`.
        class_names: The classes in the order of their numbers.
        path: The file to write.
    """
    pixels = to_pixels(images[:SHOWN])
    rows = {title: maps[: len(pixels)] for title, maps in rows.items()}
    shown = {"image": pixels}
    shown |= {title: overlay(pixels, maps) for title, maps in rows.items()}
    count = len(shown)
    figure = Figure(figsize=(1.4 * len(pixels) + 2.4, 1.5 * count + 0.2), layout="constrained")
    grid = figure.subplots(count, len(pixels), squeeze=False)
    for line, (title, pictured) in zip(grid, shown.items(), strict=True):
        line[0].set_ylabel(title, fontsize=8)
        for axes, image in zip(line, pictured, strict=True):
            axes.imshow(image, interpolation="nearest")
            axes.set(xticks=[], yticks=[])
    maps = np.concatenate([maps.ravel() for maps in rows.values()])
    counts = np.bincount(maps[maps != IGNORED], minlength=len(class_names))
    frequent = np.sort(np.argsort(-counts, kind="stable")[: min(LEGEND, np.sum(counts > 0))])
    colors = colors_of_classes(len(class_names)) / 255
    patches = [
        Patch(facecolor=colors[index], label=pictures.shortened(class_names[index]))
        for index in frequent
    ]
    legend = figure.legend(handles=patches, loc="outside right center", fontsize=7, frameon=False)
    for text in legend.get_texts():
        text.set_parse_math(False)
    pictures.save(figure, path)


def first_predictions(
    model: keras.Model, pipeline: Pipeline
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """What a model predicts of the first images of a pipeline, as `draw_maps` takes it.

    Args:
        model: A Keras classifier of pixels.
        pipeline: A `Pipeline` of images with maps.

    Returns:
        The images, normalized, and from a row's title to maps.
    """
    with pipeline.explained():
        batch = next(iter(pipeline.batches(0, global_batch=SHOWN)))
    images, labels = batch["image"].numpy(), batch["label"].numpy()
    predicted = model(images, training=False).numpy().argmax(axis=-1)
    used = batch["weight"].numpy() > 0
    images = normalize(images) if pipeline.takes_pixels else images
    return images[used], {"true classes": labels[used], "predicted": predicted[used]}
