"""The table and its pictures as one HTML page that needs nothing else."""

import html

from keras_ghostnet import files
from keras_ghostnet.benchmark.compare import entries, pictures
from keras_ghostnet.benchmark.compare.columns import columns
from keras_ghostnet.benchmark.compare.template import PAGE, SECTION
from keras_ghostnet.benchmark.compare.template import STYLE as OWN_STYLE
from keras_ghostnet.benchmark.report.page import definitions
from keras_ghostnet.benchmark.report.template import STYLE

TITLES = {
    "paper": "GhostNet's table, measured",
    "gpu": "G-GhostNet and RegNetX, measured",
}
NOTES = (
    "Accuracy is what was published for the trained networks; nothing was trained here. Weights "
    "are random, on which neither times nor instructions depend.",
    "Of every latency: the median, and below it the range of the middle 80 % of "
    "the calls. All networks of a run are measured in turn.",
    "Parameters and multiply-adds (MACs) are counted in the networks that were measured. Where "
    "the published figure is another one, it stands below.",
    "~ and a hollow point: the machine was busy with other work meanwhile.",
    "Parts: XNNPACK does not run the network as a whole; LiteRT's own operators do the rest.",
    "On the Pareto front is a network than which no other is as accurate at less cost.",
)


def write_html(path, measurements, suite="paper", reference=entries.REFERENCE):
    """Writes the page: for every device, runtime, threads and batch size its pictures and table.

    Args:
        path: The file to write.
        measurements: A list of `keras_ghostnet.benchmark.compare.results.Measurement`.
        suite: Whose rows to take: `"paper"` or `"gpu"`.
        reference: The name of the row that ratios refer to.

    Raises:
        ImportError: If matplotlib is missing.
        ValueError: If there is nothing to show.
    """
    page = render(measurements, suite, reference)
    with files.replacing(path) as partial:
        partial.write_text(page, "utf-8")


def render(measurements, suite="paper", reference=entries.REFERENCE):
    """The page as a string of HTML; arguments and errors as `write_html`."""
    found = entries.comparisons(measurements, suite, reference)
    rows = {entry.row.name: entry.row for part in found for entry in part.entries}.values()
    devices = sorted({comparison.conditions.device for comparison in found})
    notes = [*NOTES, *(f"{row.title}: {row.note}" for row in rows if row.note)]
    return PAGE.substitute(
        style=STYLE + OWN_STYLE,
        title=html.escape(TITLES[suite]),
        summary=html.escape(f"{len(rows)} networks side by side on {', '.join(devices)}."),
        sections="\n".join(_section(comparison) for comparison in found),
        notes="\n".join(f"<li>{html.escape(note)}</li>" for note in notes),
    )


def _section(comparison):
    return SECTION.substitute(
        heading=html.escape(str(comparison.conditions)),
        figures="\n".join(_figure(picture) for picture in pictures.pictures_of(comparison)),
        table=_table(comparison),
        conditions=definitions(_conditions(comparison)),
    )


def _figure(picture):
    names = ", ".join(point.label for point in pictures.front(picture.points))
    return (
        f'<div class="wide">{pictures.to_svg(picture)}'
        f'<p class="note">On the Pareto front: {html.escape(names)}.</p></div>'
    )


def _table(comparison):
    shown = columns(comparison)
    head = "".join(
        f"<th{_class(column)}><button>{html.escape(column.heading)}</button></th>"
        for column in shown
    )
    rows = "\n".join(
        f"<tr{' class=ours' if entry.row.is_ours else ''}>"
        f"{''.join(_cell(column, entry) for column in shown)}</tr>"
        for entry in comparison.entries
    )
    return (
        f'<table class="comparison"><thead><tr>{head}</tr></thead>\n<tbody>{rows}</tbody></table>'
    )


def _cell(column, entry):
    cell = column.cell(entry)
    text = html.escape(cell.text)
    if column.key == "value" and entry.is_noisy(column.format):
        text = f"<span class=noisy>{text}</span>"
    small = (f"published {cell.published}" if cell.published else "", cell.small)
    text += "".join(f"<small>{html.escape(line)}</small>" for line in small if line)
    value = "" if cell.value is None else f' data-value="{html.escape(str(cell.value))}"'
    return f"<td{_class(column)}{value}>{text}</td>"


def _class(column):
    return "" if column.key == "model" else " class=number"


def _conditions(comparison):
    measurements = comparison.measurements
    runs = sorted({measurement.run for measurement in measurements})
    calls = sorted({measurement.calls for measurement in measurements})
    items = {
        "Measured": " to ".join(dict.fromkeys((runs[0], runs[-1]))),
        "Calls of each": " to ".join(dict.fromkeys((f"{calls[0]:,}", f"{calls[-1]:,}"))),
        "Machine": _distinct(measurement.conditions for measurement in measurements),
        "Versions": _distinct(measurement.versions for measurement in measurements),
    }
    return {name: text for name, text in items.items() if text}


def _distinct(texts):
    return " / ".join(dict.fromkeys(filter(None, texts)))
