"""The table and its pictures as one HTML page that needs nothing else."""

from keras_ghostnet import files
from keras_ghostnet.benchmark import pages
from keras_ghostnet.benchmark.comparison import entries, pictures
from keras_ghostnet.benchmark.comparison.columns import columns

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
    "A network is on the Pareto front if no other one is as accurate at less cost.",
)


def write_html(path, measurements, suite="paper", reference=entries.REFERENCE):
    """Writes the page: for every device, runtime, threads and batch size its pictures and table.

    Args:
        path: The file to write.
        measurements: A list of `keras_ghostnet.benchmark.comparison.results.Measurement`.
        suite: Whose rows to take: `"paper"` or `"gpu"`.
        reference: The name of the row that ratios refer to.

    Raises:
        ImportError: If Jinja or matplotlib is missing.
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
    return pages.render_page(
        "compare.html",
        title=TITLES[suite],
        summary=f"{len(rows)} networks side by side on {', '.join(devices)}.",
        sections=[_section(comparison) for comparison in found],
        notes=notes,
    )


def _section(comparison):
    return dict(
        comparison=comparison,
        columns=columns(comparison),
        pictures=[
            (pictures.to_svg(picture), _names(pictures.front(picture.points)))
            for picture in pictures.pictures_of(comparison)
        ],
        facts=_facts(comparison),
    )


def _names(points):
    return ", ".join(point.label for point in points)


def _facts(comparison):
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
