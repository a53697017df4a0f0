"""The report as one HTML page that needs nothing else: style, figures and images are in it."""

import html

from keras_ghostnet.benchmark.report import figures
from keras_ghostnet.benchmark.report.template import PAGE, STYLE

# The heading of each column, and whether it holds numbers.
COLUMNS = (
    ("Format", False),
    ("Runtime", False),
    ("Size", True),
    ("Accuracy", True),
    ("Same class", True),
    ("Largest error", True),
    ("Latency", True),
)
# What to call the keys of `keras_ghostnet.environment.machine()`; libraries go by their names.
MACHINE = {"cpu": "Processor", "cores": "Cores", "system": "System", "python": "Python"}


def render(report):
    """The page.

    Args:
        report: A `keras_ghostnet.benchmark.report.Report`. All of its texts are escaped.

    Returns:
        A string of HTML.
    """
    loss, accuracy = figures.learning_curves(report.history)
    return PAGE.substitute(
        style=STYLE,
        title=html.escape(report.title),
        summary=html.escape(report.summary),
        facts=definitions(report.facts),
        table=_table(report.artifacts),
        training_note=html.escape(report.training_note),
        loss=loss,
        accuracy=accuracy,
        confusion=figures.confusion_matrix(report.confusion, report.class_names),
        samples="\n".join(_sample(sample) for sample in report.samples),
        machine=definitions(
            {MACHINE.get(name, name): value for name, value in report.machine.items()}
        ),
    )


def cells(artifact):
    """The texts of an artifact's row, in the order of `COLUMNS`, for the terminal too.

    Args:
        artifact: A `keras_ghostnet.benchmark.report.Artifact`.

    Returns:
        A tuple of strings, not escaped.
    """
    return (
        artifact.name,
        artifact.runtime,
        f"{artifact.bytes / 1e6:.2f} MB",
        f"{artifact.accuracy:.2%}",
        f"{artifact.agreement:.2%}",
        f"{artifact.max_error:.2g} \N{GREEK SMALL LETTER SIGMA}",
        f"{artifact.latency.median:.2f} ms",
    )


def definitions(items):
    """A list of names and values, as HTML.

    Args:
        items: A dict of strings and anything that has a text. All of them are escaped.
    """
    return "<dl>{}</dl>".format(
        "".join(
            f"<div><dt>{html.escape(str(name))}</dt><dd>{html.escape(str(value))}</dd></div>"
            for name, value in items.items()
        )
    )


def _table(artifacts):
    head = "".join(_cell("th", name, number) for name, number in COLUMNS)
    rows = "\n".join(f"<tr>{_row(artifact)}</tr>" for artifact in artifacts)
    return f"<table><thead><tr>{head}</tr></thead>\n<tbody>{rows}</tbody></table>"


def _row(artifact):
    # What there is no room for on a terminal stands in small print.
    small = {
        "Format": artifact.file,
        "Latency": f"{artifact.latency.p10:.2f} to {artifact.latency.p90:.2f}",
    }
    return "".join(
        _cell("td", text, number, small.get(name))
        for text, (name, number) in zip(cells(artifact), COLUMNS, strict=True)
    )


def _cell(tag, text, number, small=None):
    text = html.escape(text) + (f"<small>{html.escape(small)}</small>" if small else "")
    return f"<{tag}{' class=number' if number else ''}>{text}</{tag}>"


def _sample(sample):
    right = sample.predicted == sample.label
    text = sample.predicted if right else f"{sample.predicted}, is {sample.label}"
    return (
        f'<figure class="{"right" if right else "wrong"}">'
        f'<img src="{figures.image_uri(sample.image)}" alt="{html.escape(sample.label, True)}">'
        f"<figcaption>{html.escape(text)}<small>{sample.confidence:.0%}</small></figcaption>"
        "</figure>"
    )
