"""Accuracy against multiply-adds and against what was measured, as PNG and as SVG for a page."""

import dataclasses
import html
import math
import pathlib
import re
import textwrap

from keras_ghostnet import files
from keras_ghostnet.benchmark.comparison import entries
from keras_ghostnet.benchmark.report import figures

OURS, OTHERS = figures.HELD_OUT, figures.TRAIN
RADIUS = 3.2  # of a point, in points
FRONT = dict(color=figures.WRONG, linewidth=1.2, alpha=0.7, zorder=1)
SPREAD = 20  # between the least and the largest cost, beyond which the axis is logarithmic
SIZE = (8.6, 5.2)  # of a picture, in inches
DPI = 160
LABEL = 60  # characters of a line beside an axis


@dataclasses.dataclass(frozen=True)
class Point:
    """A network in a picture.

    Attributes:
        label: What stands beside it.
        cost: Of one inference, in the picture's unit.
        accuracy: Top-1, percent.
        is_ours: Whether it is a GhostNet.
        is_noisy: Whether its cost was measured on a busy machine.
        details: More about it, a few lines of text.
    """

    label: str
    cost: float
    accuracy: float
    is_ours: bool
    is_noisy: bool
    details: str


@dataclasses.dataclass(frozen=True)
class Picture:
    """Accuracy against a cost.

    Attributes:
        title: What it shows.
        axis: What the cost is, with its unit.
        points: A list of `Point`.
        accuracy: What the accuracy is, with its unit.
    """

    title: str
    axis: str
    points: list
    accuracy: str = "Top-1 as published (%)"


def front(points):
    """The points that no other one beats: none is as accurate at less cost, or more at the same.

    Args:
        points: A list of `Point`.

    Returns:
        A list of them, by rising cost.
    """
    best, result = -math.inf, []
    for point in sorted(points, key=lambda point: (point.cost, -point.accuracy)):
        # Equals of both are on it together.
        same = result and (point.cost, point.accuracy) == (result[-1].cost, result[-1].accuracy)
        if point.accuracy > best or same:
            best = point.accuracy
            result.append(point)
    return result


def pictures_of(comparison):
    """Accuracy against counted multiply-adds, and against what was measured of every format.

    Accuracies share a picture only if they are of the same images: those that were published, on
    ImageNet, and those of the training runs on each set of held-out images.

    Args:
        comparison: A `keras_ghostnet.benchmark.comparison.entries.Comparison`.

    Returns:
        A list of `Picture`: those in which there are two points or more.
    """
    groups = {}
    for entry in comparison.entries:
        if entry.top1 is not None:
            groups.setdefault("" if entry.row.top1 else entry.images, []).append(entry)
    pictures = [
        picture
        for images, group in groups.items()
        for picture in _pictures_of_group(comparison, group, images)
    ]
    return [picture for picture in pictures if len(picture.points) > 1]


def _pictures_of_group(comparison, group, images):
    unit = entries.UNITS[comparison.conditions.unit]
    on, accuracy = (f" on {images}", {"accuracy": f"Top-1 on {images} (%)"}) if images else ("", {})
    yield Picture(
        f"Accuracy{on} against multiply-adds",
        "Multiply-adds (M)",
        [_point(entry, entry.macs, comparison) for entry in group if entry.macs],
        **accuracy,
    )
    if comparison.has_runtimes:
        yield Picture(
            f"Accuracy{on} against {unit.quantity}, each network in its best runtime and precision",
            f"{unit.quantity.capitalize()} ({unit.symbol})",
            [
                _point(entry, entry.value(entry.best), comparison, entry.is_noisy(entry.best))
                for entry in group
            ],
            **accuracy,
        )
    for fmt in comparison.formats:
        yield Picture(
            f"Accuracy{on} against {unit.quantity}, {fmt}",
            f"{unit.quantity.capitalize()}, {fmt} ({unit.symbol})",
            [
                _point(entry, entry.value(fmt), comparison, entry.is_noisy(fmt))
                for entry in group
                if fmt in entry.measured
            ],
            **accuracy,
        )


def draw(figure, axes, drawn):
    """Draws pictures into a figure, each with its labels, and one legend for all.

    Args:
        figure: Of matplotlib.
        axes: A list of its axes, one a picture.
        drawn: A list of `Picture`.

    Returns:
        A list of lists of `matplotlib.text.Annotation`: the labels of each.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    from keras_ghostnet.benchmark.comparison import labels

    FigureCanvasAgg(figure)  # knows how large texts are
    lines = [_points(axis, picture) for axis, picture in zip(axes, drawn, strict=True)]
    figure.legend(handles=_legend(drawn), loc="outside lower center", ncols=4, frameon=False)
    # The labels come last: their places depend on where all else is.
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    return [
        labels.place(
            axis,
            [(point.cost, point.accuracy) for point in picture.points],
            [point.label for point in picture.points],
            RADIUS,
            avoid=[line],
            color=[OURS if point.is_ours else figures.TEXT for point in picture.points],
            weight=["bold" if point.is_ours else "normal" for point in picture.points],
            fontsize=[8] * len(picture.points),
        )
        for axis, picture, line in zip(axes, drawn, lines, strict=True)
    ]


def to_svg(picture):
    """A picture as an `<svg>` element for a page; pointing at a network shows more about it.

    Args:
        picture: A `Picture`.

    Returns:
        A string of SVG.

    Raises:
        ImportError: If matplotlib is missing.
    """
    with figures.figure_of(*SIZE) as (figure, axes):
        draw(figure, [axes], [picture])
        svg = figures.to_svg(figure, picture.title)
    return re.sub(
        r'<g id="point-(\d+)">',
        lambda match: (
            f'<g class="point"><title>{html.escape(picture.points[int(match[1])].details)}</title>'
        ),
        svg,
    )


def write_png(path, measurements, suite="paper"):
    """Accuracy against multiply-adds and every measured format, one below the other.

    Args:
        path: The file to write.
        measurements: A list of `results.Measurement`. Of several devices,
            runtimes, threads or batch sizes those of the newest one are drawn.
        suite: Whose rows to take, one of `paper_table.SUITES`.

    Returns:
        Whether there is a picture. If there is nothing to draw, an older file is removed.

    Raises:
        ImportError: If matplotlib is missing.
        ValueError: If nothing was measured.
    """
    comparison = entries.comparisons(measurements, suite)[0]
    drawn = pictures_of(comparison)
    if not drawn:
        pathlib.Path(path).unlink(missing_ok=True)
        return False
    width, height = SIZE
    size = width, height * len(drawn)
    with figures.figure_of(*size, nrows=len(drawn), squeeze=False) as (figure, axes):
        figure.set_dpi(DPI)
        figure.suptitle(str(comparison.conditions), fontsize=9, parse_math=False)
        draw(figure, axes[:, 0], drawn)
        with files.replacing(path) as partial:
            figure.savefig(partial, format="png", dpi=DPI)
    return True


def _points(axes, picture):
    """Draws the points and their front; returns the front's line."""
    from matplotlib import ticker

    steps = []
    for point in front(picture.points):
        steps += [(point.cost, steps[-1][1])] if steps else []
        steps.append((point.cost, point.accuracy))
    (line,) = axes.plot(*zip(*steps, strict=True), **FRONT)
    for index, point in enumerate(picture.points):
        color = OURS if point.is_ours else OTHERS
        axes.plot(
            point.cost,
            point.accuracy,
            marker="o",
            markersize=2 * RADIUS,
            color=color,
            markerfacecolor="none" if point.is_noisy else color,
            gid=f"point-{index}",
        )
    axes.set(xlabel=picture.axis, ylabel=textwrap.fill(picture.accuracy, LABEL))
    for axis in (axes.xaxis, axes.yaxis):
        axis.label.set_parse_math(False)
    axes.margins(0.12, 0.1)
    costs = [point.cost for point in picture.points]
    if max(costs) > SPREAD * min(costs):
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter(ticker.StrMethodFormatter("{x:,g}"))
        axes.xaxis.set_minor_locator(ticker.NullLocator())
    else:
        axes.locator_params(axis="x", steps=(1, 2, 5, 10))
    axes.locator_params(axis="y", steps=(1, 2, 5, 10))
    axes.grid(alpha=0.2, linewidth=0.6, color=figures.TEXT)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    return line


def _legend(drawn):
    from matplotlib.lines import Line2D

    points = [point for picture in drawn for point in picture.points]
    has_ours = any(point.is_ours for point in points)
    kinds = [
        ("GhostNets", OURS, OURS, has_ours),
        (
            "others" if has_ours else "networks",
            OTHERS,
            OTHERS,
            not all(point.is_ours for point in points),
        ),
        ("busy machine", OTHERS, "none", any(point.is_noisy for point in points)),
    ]
    dot = dict(linestyle="none", marker="o", markersize=2 * RADIUS)
    return [
        *(
            Line2D([], [], label=label, color=edge, markerfacecolor=face, **dot)
            for label, edge, face, is_there in kinds
            if is_there
        ),
        Line2D([], [], label="Pareto front", **FRONT),
    ]


def _point(entry, cost, comparison, is_noisy=False):
    row = entry.row
    how = "as published" if row.top1 else f"on {entry.images}"
    lines = [row.title, f"{entry.top1:.4g} % top-1 {how}"]
    if entry.parameters and entry.macs:
        lines.append(f"{entry.parameters:.2f} M parameters, {entry.macs:.1f} M multiply-adds")
    unit = entries.UNITS[comparison.conditions.unit].heading
    for fmt in entry.measured:
        low, high = entry.spread(fmt)
        noisy = ", measured on a busy machine" if entry.is_noisy(fmt) else ""
        lines.append(f"{fmt}: {entry.value(fmt):.3g} {unit} ({low:.3g} to {high:.3g}){noisy}")
    return Point(
        label=files.printable(_short(row.title)) if row.top1 is None else row.title,
        cost=cost,
        accuracy=entry.top1,
        is_ours=row.is_ours,
        is_noisy=is_noisy,
        details="\n".join(lines),
    )


def _short(path):
    """The end of a path, which says most."""
    parts = pathlib.PurePath(path).parts
    return path if len(parts) <= 2 else f"\N{HORIZONTAL ELLIPSIS}/{parts[-2]}/{parts[-1]}"
