"""Pictures of a run and of an evaluation, as PNG files."""

import collections
import math
import os
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import PIL.Image
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from keras_ghostnet.files import printable
from keras_ghostnet.preprocessing import to_pixels
from keras_ghostnet.training.data import decoding
from keras_ghostnet.training.evaluation import Evaluation
from keras_ghostnet.training.pixel_evaluation import PixelEvaluation

Path = str | os.PathLike[str]
COLUMNS = 8  # of images
LONGEST_NAME = 16  # characters of a class
LONGEST_TITLE = 80
MOST_CLASSES = 20  # rows of a confusion matrix that are still legible
MOST_COUNTED = 100_000  # in a cell of the matrix with all digits
MISTAKES = 12  # that an evaluation's picture shows
THUMBNAIL = 160  # largest side in pixels
CURVES = {"loss": ".3f", "accuracy": ".2%", "mean_iou": ".2%"}  # what is drawn of a run
TRAINING, HELD_OUT = "#1f77b4", "#d95f02"


def draw_learning_curve(
    history: Sequence[dict[str, Any]], best: dict[str, Any], path: Path
) -> None:
    """Loss, accuracy and, of maps, mean IoU over the epochs, the best model marked, as a PNG.

    Args:
        history: One dictionary an epoch, as in `metrics.csv`.
        best: The best one of them.
        path: The file to write.
    """
    epochs = [row["epoch"] for row in history]
    names = [name for name in CURVES if f"val_{name}" in best]
    figure = Figure(figsize=(4.5 * len(names), 3.6), layout="constrained")
    for axes, name in zip(figure.subplots(1, len(names)), names, strict=True):
        form = CURVES[name]
        for key, label, color in (
            (name, "training", TRAINING),
            (f"val_{name}", "held-out images", HELD_OUT),
        ):
            if key not in best:
                continue
            values = [row[key] for row in history]
            axes.plot(epochs, values, color=color, marker="o" if len(epochs) < 3 else None)
            axes.plot([], [], color=color, label=f"{label}, last {values[-1]:{form}}")
        value = best[f"val_{name}"]
        label = f"best model, epoch {best['epoch']}, {value:{form}}"
        axes.plot(best["epoch"], value, "D", color=HELD_OUT, markeredgecolor="black", label=label)
        if form.endswith("%"):
            axes.yaxis.set_major_formatter(PercentFormatter(1.0))
        axes.set(title=name.replace("_", " "), xlabel="epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.3)
        axes.legend(frameon=False)
    save(figure, path)


def draw_batch(images: np.ndarray, names: Sequence[str], path: Path) -> None:
    """The images of a batch with their classes, as a PNG.

    Args:
        images: `(n, height, width, 3)`, normalized as the network takes them.
        names: What to write above each.
        path: The file to write.
    """
    rows = math.ceil(len(images) / COLUMNS)
    figure = Figure(figsize=(COLUMNS * 1.4, rows * 1.6), layout="constrained")
    grid = figure.subplots(rows, COLUMNS, squeeze=False).ravel()
    for axes in grid:
        axes.axis("off")
    for axes, image, name in zip(grid, to_pixels(images), names, strict=False):
        axes.imshow(image)
        axes.set_title(shortened(name), fontsize=8, parse_math=False)
    save(figure, path)


def draw_evaluation(evaluation: Evaluation | PixelEvaluation, path: Path) -> None:
    """The confusion matrix, and beside it the most confident mistakes, or the classes of pixels.

    Of many classes the matrix shows those with the most mistakes, and sums up the others.

    Args:
        evaluation: An `Evaluation`, or a `PixelEvaluation`.
        path: The file to write.
    """
    class_names = _distinct(evaluation.source.class_names)
    matrix, names = _largest_mistakes(evaluation.confusion_matrix(), class_names)
    side = 3 + 0.35 * len(matrix)
    figure = Figure(figsize=(side + 6, max(side, 6)), layout="constrained")
    ((left, right),) = figure.subfigures(1, 2, squeeze=False, width_ratios=(side, 6))
    counted = "pixels" if evaluation.source.of_pixels else "images"
    _draw_matrix(left, matrix, names, len(class_names), counted)
    left.suptitle(
        f"{printable(evaluation.source.name, LONGEST_TITLE)}: {evaluation.headline}, "
        f"{evaluation.examples:,} images",
        fontsize=10,
        parse_math=False,
    )
    if isinstance(evaluation, PixelEvaluation):
        _draw_iou(right.subplots(), evaluation.iou, class_names)
    else:
        _draw_mistakes(right, evaluation, class_names)
    save(figure, path)


def shortened(name: str) -> str:
    """A class name in at most `LONGEST_NAME` characters: long ones lose their middle."""
    name = printable(" ".join(name[:1000].split()))
    if len(name) <= LONGEST_NAME:
        return name
    end = LONGEST_NAME // 2
    return f"{name[: LONGEST_NAME - 1 - end]}…{name[-end:]}"


def _distinct(class_names):
    """Shortened names; those that several classes share begin with the class's number."""
    names = [shortened(name) for name in class_names]
    counts = collections.Counter(names)
    return [name if counts[name] == 1 else f"{number}: {name}" for number, name in enumerate(names)]


def _largest_mistakes(matrix, names):
    """A matrix of at most `MOST_CLASSES` classes, the last row and column being all others."""
    if len(matrix) <= MOST_CLASSES:
        return matrix, names
    mistakes = matrix.sum(axis=0) + matrix.sum(axis=1) - 2 * np.diag(matrix)
    chosen = np.sort(np.argsort(-mistakes, kind="stable")[: MOST_CLASSES - 1])
    others = np.setdiff1d(np.arange(len(matrix)), chosen)
    order, starts = np.concatenate([chosen, others]), np.arange(MOST_CLASSES)
    summed = np.add.reduceat(np.add.reduceat(matrix[order][:, order], starts, 0), starts, 1)
    return summed, [*(names[index] for index in chosen), f"{len(others)} others"]


def _draw_matrix(figure, matrix, names, classes, counted):
    axes = figure.subplots()
    fractions = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    axes.imshow(fractions, cmap="Blues", vmin=0, vmax=1)
    for row, column in zip(*np.nonzero(matrix), strict=True):
        color = "white" if fractions[row, column] > 0.6 else "black"
        count = matrix[row, column]
        text = f"{count:,}" if count < MOST_COUNTED else f"{count:.0e}"
        axes.text(column, row, text, color=color, fontsize=7, ha="center", va="center")
    axes.set_xticks(range(len(names)), names, rotation=90, fontsize=7, parse_math=False)
    axes.set_yticks(range(len(names)), names, fontsize=7, parse_math=False)
    title = f"{counted} by class; color: fraction of the row"
    if classes > len(names):
        title += f"\nthe {len(names) - 1} of {classes} classes with the most mistakes"
    axes.set_title(title, fontsize=9)
    axes.set(xlabel="predicted class", ylabel="true class")


def _draw_mistakes(figure, evaluation, names):
    positions = evaluation.most_confident_mistakes(MISTAKES)
    if not len(positions):
        figure.text(0.5, 0.5, "no mistakes", ha="center", va="center")
        return
    figure.suptitle("most confident mistakes: true class, predicted class", fontsize=10)
    grid = figure.subplots(MISTAKES // 3, 3).ravel()
    for axes in grid:
        axes.axis("off")
    for axes, position in zip(grid, positions, strict=False):
        encoded, _ = evaluation.source.reader.read(int(evaluation.indices[position]))
        image = PIL.Image.fromarray(decoding.decode(encoded))
        image.thumbnail((THUMBNAIL, THUMBNAIL))
        axes.imshow(image)
        title = (
            f"{names[evaluation.labels[position]]}\n"
            f"{names[evaluation.predicted[position]]} "
            f"{evaluation.confidence[position]:.1%}"
        )
        axes.set_title(title, fontsize=8, parse_math=False)


def _draw_iou(axes, iou, names):
    """Bars of the intersection over union of classes, the lowest on top."""
    present = np.flatnonzero(~np.isnan(iou))
    lowest = present[np.argsort(iou[present], kind="stable")][:MOST_CLASSES]
    axes.barh(range(len(lowest)), iou[lowest], color=HELD_OUT)
    axes.set_yticks(range(len(lowest)), [names[i] for i in lowest], fontsize=7, parse_math=False)
    axes.invert_yaxis()
    axes.set(xlim=(0, 1), xlabel="intersection over union")
    axes.set_title(f"the lowest {len(lowest)} of {len(present)} classes", fontsize=9)


def save(figure: Figure, path: Path) -> None:
    """Writes a figure as a PNG, without a word on scripts that the font lacks."""
    with warnings.catch_warnings():  # a script that the font lacks is drawn as boxes
        warnings.filterwarnings("ignore", "Glyph .* missing from", UserWarning)
        figure.savefig(path, format="png", dpi=120)
