"""The columns of the table, for the terminal and the page."""

import dataclasses
from collections.abc import Callable

from keras_ghostnet.benchmark.comparison import entries

NOTHING = "\N{EN DASH}"


@dataclasses.dataclass(frozen=True)
class Cell:
    """One cell.

    Attributes:
        text: What stands in it.
        value: What it is sorted by; None where there is nothing.
        published: What was published, where that is something else.
        small: What there is no room for on a terminal.
    """

    text: str = NOTHING
    value: float | str | None = None
    published: str = ""
    small: str = ""


@dataclasses.dataclass(frozen=True)
class Column:
    """One column.

    Attributes:
        key: What it shows.
        heading: Its name, three lines at most.
        cell: A function of an `entries.Entry` that returns its `Cell`.
        format: Whose figures these are; empty where they are of the network itself.
    """

    key: str
    heading: str
    cell: Callable
    format: str = ""


def columns(comparison):
    """The columns that have something to show.

    Args:
        comparison: A `keras_ghostnet.benchmark.comparison.entries.Comparison`.

    Returns:
        A list of `Column`. The keys are `"model"`, `"parameters"`, `"macs"`, `"top1"` and `"top5"`
        as published, `"run_top1"` of a user's training run on its own images, `"arm"`, and for
        every format `"value"`, `"ratio"`, `"rate"` (where the batch is larger than one) and
        `"bytes"`. Where runtimes were compared, `"runtime"` is the best precision of each.
    """
    result = [
        Column("model", "Network", _model),
        Column("parameters", "Params\n(M)", _parameters),
        Column("macs", "MACs\n(M)", _macs),
        Column("top1", "Top-1\n(%)", lambda entry: _plain(entry.row.top1, "{:.1f}")),
        Column("top5", "Top-5\n(%)", lambda entry: _plain(entry.row.top5, "{:.1f}")),
        Column("run_top1", "Top-1\nof run", _run_top1),
        Column("arm", "ARM ms\n(paper)", lambda entry: _plain(entry.row.arm_ms, "{:.1f}")),
    ]
    if comparison.has_runtimes:
        names = dict.fromkeys(fmt.partition(" ")[0] for fmt in comparison.formats)
        result += [_fastest(comparison, name) for name in names]
    for fmt in comparison.formats:
        result += _measured(comparison, fmt)
    return [
        column
        for column in result
        if any(column.cell(entry).value is not None for entry in comparison.entries)
    ]


def _model(entry):
    row = entry.row
    small = "\n".join(filter(None, (row.name if row.name != row.title else "", row.source)))
    return Cell(row.title, row.title.lower(), small=small)


def _parameters(entry):
    return _counted(entry.parameters, entry.row.parameters, 0.1, "{:.2f}", "{:.1f}")


def _macs(entry):
    # Those of another size of the image were published by nobody.
    published = entry.row.macs if entry.size == entry.row.size else None
    text = "{:.1f}" if entry.macs is not None and entry.macs < 100 else "{:,.0f}"
    return _counted(entry.macs, published, 1, text, "{:,g}")


def _run_top1(entry):
    is_own = entry.row.top1 is None and entry.top1 is not None
    return Cell(f"{entry.top1:.1f}", entry.top1, small=f"on {entry.images}") if is_own else Cell()


def _counted(value, published, step, text, published_text):
    if value is None:
        return _plain(published, published_text)
    differs = published is not None and not entries.agree(value, published, step)
    return Cell(text.format(value), value, published_text.format(published) if differs else "")


def _plain(value, text):
    return Cell() if value is None else Cell(text.format(value), value)


def _fastest(comparison, runtime):
    """The column of a runtime: the least that its precisions cost; a star at the best of all."""

    def cell(entry):
        own = [fmt for fmt in entry.measured if fmt.partition(" ")[0] == runtime]
        if not own:
            return Cell()
        best = min(own, key=entry.value)
        star = "*" if best == entry.best else ""
        return Cell(f"{star}{entry.value(best):.2f} {best.partition(' ')[2]}", entry.value(best))

    unit = entries.UNITS[comparison.conditions.unit]
    return Column("runtime", f"{entries.RUNTIMES.get(runtime, runtime)}\n({unit.heading})", cell)


def _measured(comparison, fmt):
    unit, batch = entries.UNITS[comparison.conditions.unit], comparison.conditions.batch
    largest = max(entry.value(fmt) or 0 for entry in comparison.entries)
    number = "{:.2f}" if largest < 100 else "{:,.1f}"
    heading = fmt.replace(" ", "\n")

    def value(entry):
        if fmt not in entry.measured:
            return Cell()
        low, high = (number.format(limit) for limit in entry.spread(fmt))
        parts = entry.measured[fmt].parts or 1
        return Cell(
            ("~" if entry.is_noisy(fmt) else "") + number.format(entry.value(fmt)),
            entry.value(fmt),
            small=f"{low} to {high}" + (f", {parts} parts" if parts > 1 else ""),
        )

    def ratio(entry):
        return _plain(comparison.ratio(entry, fmt), "{:.2f}")

    def rate(entry):
        is_timed = fmt in entry.measured and comparison.conditions.unit == "ms" and batch > 1
        return _plain(batch / entry.value(fmt) * 1e3 if is_timed else None, "{:,.0f}")

    def megabytes(entry):
        size = entry.measured[fmt].bytes if fmt in entry.measured else None
        return _plain(None if size is None else size / 1e6, "{:.1f}")

    return [
        Column("value", f"{heading}\n{unit.heading}", value, fmt),
        Column("ratio", f"{heading}\nratio", ratio, fmt),
        Column("rate", f"{heading}\nimages/s", rate, fmt),
        Column("bytes", f"{heading}\nMB", megabytes, fmt),
    ]
