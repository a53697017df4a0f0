"""The report as one HTML page, and its table for the terminal."""

import dataclasses
from collections.abc import Callable

from rich import box
from rich.table import Table

from keras_ghostnet.benchmark import pages
from keras_ghostnet.benchmark.report import figures


@dataclasses.dataclass(frozen=True)
class Column:
    """A column of the table of artifacts.

    Attributes:
        heading: Its name.
        text: A function of a `keras_ghostnet.benchmark.report.Artifact` that returns its text.
        is_number: Whether it holds numbers.
        small: As `text`, for the page's small print, for which a terminal has no room; or None.
        on_terminal: Whether it is shown on a terminal, so that the rest fits 80 columns.
    """

    heading: str
    text: Callable
    is_number: bool = True
    small: Callable | None = None
    on_terminal: bool = True


COLUMNS = (
    Column("Format", lambda artifact: artifact.name, False, lambda artifact: artifact.file),
    Column("Runtime", lambda artifact: artifact.runtime, False, on_terminal=False),
    Column("Size", lambda artifact: f"{artifact.bytes / 1e6:.2f} MB"),
    Column("Accuracy", lambda artifact: f"{artifact.accuracy:.2%}"),
    Column("Same class", lambda artifact: f"{artifact.agreement:.2%}"),
    Column(
        "Largest error",
        lambda artifact: f"{artifact.max_error:.2g} \N{GREEK SMALL LETTER SIGMA}",
    ),
    Column(
        "Latency",
        lambda artifact: f"{artifact.latency.median:.2f} ms",
        small=lambda artifact: f"{artifact.latency.p10:.2f} to {artifact.latency.p90:.2f}",
    ),
)
# What to call the keys of `keras_ghostnet.environment.machine()`; libraries go by their names.
MACHINE = {"cpu": "Processor", "cores": "Cores", "system": "System", "python": "Python"}


def render(report):
    """The page.

    Args:
        report: A `keras_ghostnet.benchmark.report.Report`. All of its texts are escaped.

    Returns:
        A string of HTML.

    Raises:
        ImportError: If Jinja, matplotlib or Pillow is missing.
    """
    loss, accuracy = figures.learning_curves(report.history)
    content = vars(report) | dict(
        columns=COLUMNS,
        image_uri=figures.image_uri,
        loss=loss,
        accuracy=accuracy,
        confusion=figures.confusion_matrix(report.confusion, report.class_names),
        machine={MACHINE.get(name, name): value for name, value in report.machine.items()},
    )
    return pages.render_page("report.html", **content)


def table(artifacts):
    """The artifacts as a table for the terminal, one row each.

    Args:
        artifacts: A list of `keras_ghostnet.benchmark.report.Artifact`.

    Returns:
        A `rich.table.Table`, at most 80 columns wide.
    """
    shown = [column for column in COLUMNS if column.on_terminal]
    result = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in shown:
        justify = "right" if column.is_number else "left"
        result.add_column(column.heading, justify=justify, no_wrap=True)
    for artifact in artifacts:
        result.add_row(*(column.text(artifact) for column in shown))
    return result
