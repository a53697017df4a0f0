"""A profile as tables for the terminal, as CSV, and as a chart."""

import csv
import re

from rich import box
from rich.table import Table

from keras_ghostnet import files
from keras_ghostnet.benchmark.report import figures

COLUMNS = ("index", "operator", "layer", "shape", "kernel", "macs", "microseconds", "share")
LAYER, WORK = 25, 20  # characters of a layer's and an XNNPACK operator's name in the terminal
DPI = 160
HEIGHT = 0.26  # of a bar with its gap, in inches
SLOWEST = 10  # layers in the summary
BARS = 30  # of layers in the chart, the slowest
LAYER, TITLE = 60, 120  # characters in the chart


def layers(profile, slowest=None):
    """One row an operator, in the file's order, at most 100 columns wide.

    Args:
        profile: A `keras_ghostnet.benchmark.profiling.Profile`.
        slowest: How many to show, the slowest first; None shows all.

    Returns:
        A `rich.table.Table`.
    """
    table = _table("Layer", "Operator", "Output", "XNNPACK", "M MACs", "\N{MICRO SIGN}s", "%")
    for row in profile.rows if slowest is None else profile.slowest(slowest):
        table.add_row(
            _end(row.operator.layer, LAYER),
            row.operator.type.replace("DEPTHWISE_CONV_2D", "DEPTHWISE"),
            _shape(row.operator),
            _work(row),
            *_figures(profile, row.microseconds, row.operator.macs),
        )
    return table


def types(profile):
    """One row a type of operators, the slowest first, and what the sum leaves open.

    Args:
        profile: A `keras_ghostnet.benchmark.profiling.Profile`.

    Returns:
        A `rich.table.Table`.
    """
    table = _table("Type", "Number", "M MACs", "\N{MICRO SIGN}s", "%", numbers=4)
    for entry in profile.by_type():
        table.add_row(
            entry.type, str(entry.count), *_figures(profile, entry.microseconds, entry.macs)
        )
    if profile.other:
        table.add_row("not attributed", "", *_figures(profile, profile.other, None))
    table.add_section()
    for name, microseconds in totals(profile).items():
        table.add_row(name, "", "", f"{microseconds:,.1f}", "")
    return table


def totals(profile):
    """What the operators' sum is compared with: a dict of names and microseconds of a call."""
    return {
        "sum of the operators": profile.total,
        "whole call, operators timed": profile.profiled,
        "whole call": profile.plain,
    }


def write_csv(path, profile):
    """Writes one line an operator, in the file's order.

    Args:
        path: The file.
        profile: A `keras_ghostnet.benchmark.profiling.Profile`.
    """
    with files.replacing(path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for row in profile.rows:
            operator = row.operator
            writer.writerow(
                (
                    operator.index,
                    operator.type,
                    files.cell(operator.layer),
                    _shape(operator),
                    row.work,
                    "" if operator.macs is None else operator.macs,
                    f"{row.microseconds:.2f}",
                    f"{row.microseconds / profile.total:.4f}",
                )
            )


def write_png(path, profile):
    """Draws the types of operators, and the slowest layers, as bars.

    Args:
        path: The file.
        profile: A `keras_ghostnet.benchmark.profiling.Profile`.

    Raises:
        ImportError: If matplotlib is missing.
    """
    sums = [entry for entry in profile.by_type() if entry.microseconds]
    slowest = profile.slowest(BARS)
    groups = (
        ("By type", [(f"{entry.type} ({entry.count})", entry.microseconds) for entry in sums]),
        (
            "The slowest layers",
            [
                (f"{_end(row.operator.layer, LAYER)}  {row.operator.type}", row.microseconds)
                for row in slowest
            ],
        ),
    )
    heights = [len(bars) for _, bars in groups]
    grid = dict(nrows=2, gridspec_kw=dict(height_ratios=heights))
    with figures.figure_of(9, HEIGHT * sum(heights) + 2, **grid) as (figure, axes):
        figure.suptitle(
            f"{_end(profile.title, TITLE)}\n{profile.machine['cpu']}", fontsize=10, parse_math=False
        )
        for axis, (title, bars) in zip(axes, groups, strict=True):
            _bars(axis, title, bars, profile.total)
        with files.replacing(path) as partial:
            figure.savefig(partial, format="png", dpi=DPI)


def _bars(axes, title, bars, total):
    names, values = zip(*bars, strict=True)
    places = range(len(bars))
    drawn = axes.barh(places, values, height=0.72, color=figures.HELD_OUT)
    axes.set_yticks(places, names, fontsize=8, parse_math=False)
    axes.invert_yaxis()
    labels = [f"{value:,.1f}  ({value / total:.1%})" for value in values]
    axes.bar_label(drawn, labels, padding=3, fontsize=8)
    axes.set_title(title, loc="left", fontsize=10, parse_math=False)
    axes.set(xlabel="\N{MICRO SIGN}s a call", ylim=(len(bars) - 0.4, -0.6))
    axes.margins(x=0.22)
    axes.tick_params(axis="y", length=0)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _table(*names, numbers=3):
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=0)
    for index, name in enumerate(names):
        is_number = index >= len(names) - numbers
        table.add_column(name, justify="right" if is_number else "left", no_wrap=True)
    return table


def _work(row):
    """XNNPACK's main operator without its types, shortened."""
    return re.sub(r" \(.*?\)", "", row.work).partition(" + ")[0][:WORK] or "merged"


def _end(text, width):
    """The end of a name says more than its beginning."""
    text = files.printable(text[-width - 1 :])
    return text if len(text) <= width else "\N{HORIZONTAL ELLIPSIS}" + text[1 - width :]


def _shape(operator):
    return "x".join(map(str, operator.shape[1:]))


def _figures(profile, microseconds, macs):
    return (
        "" if macs is None else f"{macs / 1e6:,.2f}",
        f"{microseconds:,.1f}",
        f"{100 * microseconds / profile.total:.1f}",
    )
