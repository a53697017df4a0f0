"""Figures as SVG that takes its text color and font from the page, and images as PNG."""

import base64
import contextlib
import html
import io

import numpy as np

TRAIN, HELD_OUT = "#8a94a6", "#2f74d0"  # legible on white and on near-black
RIGHT, WRONG = HELD_OUT, "#d9622b"
TEXT = "#010203"  # stands for the page's own text color, see `to_svg`


def learning_curves(history):
    """Loss and accuracy over the epochs.

    Args:
        history: One dict an epoch: `epoch`, `loss`, `accuracy`, `val_loss`, `val_accuracy`.

    Returns:
        Two strings of SVG: loss, and accuracy in percent.
    """
    return (
        _curve(history, "loss", "Loss", scale="log"),
        _curve(history, "accuracy", "Accuracy (%)", factor=100),
    )


def confusion_matrix(matrix, class_names):
    """What each class was taken for, in numbers of images.

    Args:
        matrix: Integers `(classes, classes)`: rows are true classes, columns predicted ones.
        class_names: In the order of the labels.

    Returns:
        A string of SVG.
    """
    matrix = np.asarray(matrix)
    count = len(class_names)
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    with figure_of(4.6, 4.4) as (figure, axes):
        for row, column in zip(*np.nonzero(matrix), strict=True):
            _confusion_cell(axes, row, column, matrix[row, column], shares[row, column])
        axes.set(
            xlim=(-0.5, count - 0.5),
            ylim=(count - 0.5, -0.5),
            aspect="equal",
            xlabel="Predicted",
            ylabel="True",
        )
        axes.set_xticks(range(count), class_names, parse_math=False)
        axes.set_yticks(range(count), class_names, parse_math=False)
        axes.tick_params(length=0)
        for spine in axes.spines.values():
            spine.set_visible(False)
        return to_svg(figure, "Confusion matrix")


def image_uri(image):
    """An image as a `data:` address, PNG within.

    Args:
        image: uint8 `(height, width)` or `(height, width, 3)`.

    Returns:
        A string to be used as `src`.
    """
    import PIL.Image

    content = io.BytesIO()
    PIL.Image.fromarray(np.asarray(image, "uint8")).save(content, "PNG")
    return "data:image/png;base64," + base64.b64encode(content.getvalue()).decode()


@contextlib.contextmanager
def figure_of(width, height, **grid):
    """A figure and its axes, without the global state of pyplot.

    Args:
        width, height: In inches.
        **grid: As for `matplotlib.figure.Figure.subplots`.

    Yields:
        A `matplotlib.figure.Figure`, and its axes as `subplots` returns them.
    """
    import matplotlib
    from matplotlib.figure import Figure

    style = {
        "axes.edgecolor": TEXT,
        "axes.labelcolor": TEXT,
        "font.size": 10,
        "svg.fonttype": "none",  # text stays text
        "svg.hashsalt": "keras_ghostnet",  # the same figure gives the same file
        "text.color": TEXT,
        "xtick.color": TEXT,
        "ytick.color": TEXT,
    }
    with matplotlib.rc_context(style):
        figure = Figure(figsize=(width, height), layout="constrained")
        yield figure, figure.subplots(**grid)


def to_svg(figure, description):
    """A figure as an `<svg>` element that can stand in a page, in the page's text color.

    Args:
        figure: What `figure_of` yielded, within its context.
        description: What is read out in place of it.

    Returns:
        A string of SVG.
    """
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :].replace(TEXT, "currentColor")
    label = html.escape(description, quote=True)
    return svg.replace("<svg", f'<svg role="img" aria-label="{label}"', 1)


def _curve(history, key, label, factor=1, scale="linear"):
    from matplotlib import ticker

    epochs = [row["epoch"] for row in history]
    with figure_of(4.6, 3.0) as (figure, axes):
        for name, color, values in (
            ("training", TRAIN, [factor * row[key] for row in history]),
            ("held out", HELD_OUT, [factor * row[f"val_{key}"] for row in history]),
        ):
            axes.plot(epochs, values, color=color, label=name, marker="o", markersize=3)
        axes.set(xlabel="Epoch", ylabel=label, yscale=scale)
        axes.xaxis.set_major_locator(ticker.MaxNLocator(integer=True))
        if scale == "log":  # plain numbers, also where the range is less than a power of ten
            axes.yaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
            axes.yaxis.set_major_formatter(ticker.StrMethodFormatter("{x:g}"))
            axes.yaxis.set_minor_locator(ticker.NullLocator())
        axes.grid(axis="y", alpha=0.25, linewidth=0.6, color=TEXT)
        axes.legend(frameon=False, loc="upper right" if scale == "log" else "lower right")
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
        return to_svg(figure, f"{label} over the epochs")


def _confusion_cell(axes, row, column, number, share):
    from matplotlib import patches

    right = row == column
    # A single mistake among many images has to be seen.
    opacity = 0.15 + 0.75 * share if right else 0.45 + 0.5 * share
    axes.add_patch(
        patches.Rectangle(
            (column - 0.47, row - 0.47),
            0.94,
            0.94,
            facecolor=RIGHT if right else WRONG,
            alpha=opacity,
            linewidth=0,
        )
    )
    axes.text(
        column,
        row,
        str(number),
        ha="center",
        va="center",
        fontsize=9,
        color="white" if right and opacity > 0.5 else TEXT,
    )
