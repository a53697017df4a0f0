"""The report's table for the terminal."""

from rich import box
from rich.table import Table

from keras_ghostnet.benchmark.report.page import COLUMNS, cells

LEFT_OUT = ("Runtime",)  # so that the rest fits 80 columns


def table(artifacts):
    """The artifacts, a row each.

    Args:
        artifacts: A list of `keras_ghostnet.benchmark.report.Artifact`.

    Returns:
        A `rich.table.Table`.
    """
    shown = [index for index, (name, _) in enumerate(COLUMNS) if name not in LEFT_OUT]
    result = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for index in shown:
        name, number = COLUMNS[index]
        result.add_column(name, justify="right" if number else "left", no_wrap=True)
    for artifact in artifacts:
        texts = cells(artifact)
        result.add_row(*(texts[index] for index in shown))
    return result
