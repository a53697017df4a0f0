"""The table and its pictures as one HTML page that needs nothing else."""

from keras_ghostnet import files
from keras_ghostnet.benchmark import pages
from keras_ghostnet.benchmark.comparison import entries, pictures
from keras_ghostnet.benchmark.comparison.columns import columns

TITLES = {
    "paper": "GhostNet's table, measured",
    "since": "GhostNet's successors and others since, measured",
    "gpu": "G-GhostNet and RegNetX, measured",
}
PUBLISHED = (
    "Accuracy of the tables' networks is what was published for the trained ones. Here their "
    "weights are random, on which neither times nor instructions depend."
)
OWN = "Models of your own are measured with the weights that they have."
RUNS = (
    "Top-1 of run is what training measured of the Keras model on the run's held-out images. It is "
    "compared with that of other runs on the same images, never with what was published for "
    "ImageNet."
)
MEDIANS = (
    "Of every latency: the median, and below it the range of the middle 80 % of the calls. All "
    "networks of a run are measured in turn."
)
COUNTS = "Parameters and multiply-adds (MACs) are counted in the networks that were measured."
DIFFERENT = "Where the published figure is another one, it stands below."
DISTILLED = (
    "Accuracies are of different trainings: GhostNetV3's and RepViT's networks were distilled from "
    "larger ones, MobileNetV4's was trained for thousands of epochs."
)
NOISY = "~ and a hollow point: the machine was busy with other work meanwhile."
PARTS = "Parts: XNNPACK does not run the network as a whole; LiteRT's own operators do the rest."
FRONT = "A network is on the Pareto front if no other one is as accurate at less cost."
NO_PICTURE = (
    "There are pictures of accuracy where that of two networks is known on the same images: as "
    "published, or in the metrics.json of runs that have ended."
)


def write_html(path, measurements, suite="paper", reference=entries.REFERENCE):
    """Writes the page: for every device, runtime, threads and batch size its table and pictures.

    Args:
        path: The file to write.
        measurements: A list of `keras_ghostnet.benchmark.comparison.results.Measurement`.
        suite: Whose rows to take, one of `paper_table.SUITES`.
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
    sections = [_section(comparison) for comparison in found]
    names = {row.name for row in rows if row.source}  # of the tables
    return pages.render_page(
        "compare.html",
        title=TITLES[suite] if names else "Networks, measured",
        summary=f"{_count(len(rows))} side by side on {', '.join(devices)}.",
        sections=sections,
        notes=[
            *_notes(found, names, any(section["pictures"] for section in sections)),
            *(f"{row.title}: {row.note}" for row in rows if row.note),
        ],
    )


def _notes(found, names, has_pictures):
    """Explains what is on the page, and nothing else."""
    measured = [measurement for comparison in found for measurement in comparison.measurements]
    cells = (
        column.cell(entry)
        for comparison in found
        for column in columns(comparison)
        for entry in comparison.entries
    )
    notes = {
        PUBLISHED: bool(names),
        DISTILLED: any(name.startswith(("ghostnetv3_", "repvit_")) for name in names),
        OWN: any(measurement.model not in names for measurement in measured),
        RUNS: any(measurement.images for measurement in measured),
        MEDIANS: any(measurement.unit == "ms" for measurement in measured),
        COUNTS: any(measurement.parameters for measurement in measured),
        DIFFERENT: any(cell.published for cell in cells),
        NOISY: any(measurement.noisy for measurement in measured),
        PARTS: any((measurement.parts or 1) > 1 for measurement in measured),
        FRONT if has_pictures else NO_PICTURE: True,
    }
    return [note for note, is_true in notes.items() if is_true]


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


def _count(number):
    return "1 network" if number == 1 else f"{number} networks"


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
