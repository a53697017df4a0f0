"""The table for the terminal."""

from rich import box
from rich.table import Table
from rich.text import Text

from keras_ghostnet.benchmark.comparison import entries
from keras_ghostnet.benchmark.comparison.columns import columns
from keras_ghostnet.files import printable, printable_lines

LEFT_OUT = ("top5",)  # so that the rest fits 100 columns
OF_RUNTIMES = ("model", "macs", "top1", "run_top1", "runtime")
MOST_FORMATS = 2  # of which there is room for all columns
WIDTH = 100  # of the table, which a narrower terminal wraps
OURS = "bold cyan"


def show_table(console, measurements, suite="paper"):
    """Prints the table; arguments and errors as `table`."""
    width = console.width
    console.width = max(width, WIDTH)
    try:
        console.print(table(measurements, suite))
    finally:
        console.width = width


def table(measurements, suite="paper", reference=entries.REFERENCE):
    """What was measured, a row for each network, at most 100 columns wide with two formats.

    Args:
        measurements: A list of `results.Measurement`. Of several devices, threads, batch sizes or
            runtimes that were not measured in one run, those of the newest one are shown.
        suite: Whose rows to take, one of `paper_table.SUITES`.
        reference: The name of the row that ratios refer to.

    Returns:
        A `rich.table.Table`.

    Raises:
        ValueError: If there is nothing to show.
    """
    comparison, *others = entries.comparisons(measurements, suite, reference)
    shown = [column for column in columns(comparison) if column.key not in LEFT_OUT]
    if comparison.has_runtimes:  # the page has the rest
        shown = [column for column in shown if column.key in OF_RUNTIMES]
    elif len(comparison.formats) > MOST_FORMATS:
        shown = [column for column in shown if column.key != "bytes"]
    result = Table(
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        padding=0,  # the box has a blank between columns
        title=Text(printable(str(comparison.conditions))),
        title_justify="left",
        title_style="bold",
        caption=Text(printable(_caption(comparison, shown, others))),
        caption_justify="left",
    )
    for column in shown:
        is_name = column.key == "model"  # which may be a long path
        result.add_column(
            Text(printable_lines(column.heading)),
            justify="left" if is_name else "right",
            vertical="bottom",
            overflow="fold",
            no_wrap=not is_name,
        )
    for entry in comparison.entries:
        cells = (_text(column, entry) for column in shown)
        result.add_row(
            *(Text(printable(cell)) for cell in cells), style=OURS if entry.row.is_ours else ""
        )
    return result


def _text(column, entry):
    if column.key == "model":  # what commands take, and shorter
        return entry.row.name
    cell = column.cell(entry)
    return f"{cell.text} ({cell.published})" if cell.published else cell.text


def _caption(comparison, shown, others):
    """Explains what is in the table, and nothing else."""
    keys = {column.key for column in shown}
    parts = [f"Medians; ratio: to {comparison.reference}." if "ratio" in keys else "Medians."]
    if "runtime" in keys:
        parts.append("Of each runtime its fastest precision, *: of the network.")
    if any(column.cell(entry).published for column in shown for entry in comparison.entries):
        parts.append("In brackets: published, if other.")
    if "run_top1" in keys:
        parts.append(f"Top-1 of run: {_run_images(comparison)}.")
    if any(measurement.noisy for measurement in comparison.measurements):
        parts.append("~: measured on a busy machine.")
    if others:
        parts.append(f"Not shown: {'; '.join(str(other.conditions) for other in others)}.")
    return " ".join(parts)


def _run_images(comparison):
    """What the runs' accuracies were measured on: said once if it is the same of all."""
    names = {}
    for entry in comparison.entries:
        if entry.images:
            names.setdefault(entry.images, []).append(entry.row.name)
    if len(names) == 1:
        return f"on {next(iter(names))}"
    return "; ".join(f"{', '.join(those)} on {images}" for images, those in names.items())
