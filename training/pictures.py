"""Pictures of a run: its learning curve, and what the network sees in training."""

import math

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from keras_ghostnet.preprocessing import to_pixels

COLUMNS = 8
TRAINING, HELD_OUT = "#1f77b4", "#d95f02"


def learning_curve(history, path):
    """Loss and accuracy over the epochs, as a PNG.

    Args:
        history: One dictionary an epoch, as in `metrics.csv`.
        path: The file to write.
    """
    epochs = [row["epoch"] for row in history]
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    for axes, name in zip(figure.subplots(1, 2), ("loss", "accuracy"), strict=True):
        for key, label, color in (
            (name, "training", TRAINING),
            (f"val_{name}", "held-out images", HELD_OUT),
        ):
            values = [row[key] for row in history]
            axes.plot(epochs, values, color=color, marker="o" if len(epochs) < 3 else None)
            axes.plot([], [], color=color, label=f"{label}, last {values[-1]:.4g}")
        axes.set(title=name, xlabel="epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.3)
        axes.legend(frameon=False)
    figure.savefig(path, format="png", dpi=120)


def batch(images, names, path):
    """The images of a batch with their classes, as a PNG.

    Args:
        images: `(n, height, width, 3)`, normalised as the network takes them.
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
        axes.set_title(name if len(name) <= 16 else f"{name[:15]}…", fontsize=8)
    figure.savefig(path, format="png", dpi=100)
