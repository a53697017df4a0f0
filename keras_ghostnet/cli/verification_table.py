"""The table of exports and verifications for the terminal."""

from rich import box
from rich.table import Table

from keras_ghostnet import files

SIGMA = "\N{GREEK SMALL LETTER SIGMA}"  # of the Keras model's outputs


def verification_table(results):
    """One row a format: figures, and whether it passed.

    Args:
        results: A list of objects with `format`, `path`, `verification` and `error`, as
            `keras_ghostnet.export.artifacts.ArtifactResult`.

    Returns:
        A `rich.table.Table`.
    """
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for name in ("Format", "Size", "Top-1", "Same class", "Max error", "Typical", ""):
        table.add_column(name, justify="left" if name in ("Format", "") else "right", no_wrap=True)
    for result in results:
        table.add_row(result.format, *_cells(result), "failed" if result.error else "passed")
    return table


def _cells(result):
    there = result.path is not None and result.path.exists()
    size = f"{files.size(result.path) / 1e6:.2f} MB" if there else "-"
    figures = result.verification
    if figures is None:
        return [size, "-", "-", "-", "-"]
    return [
        size,
        "-" if figures.accuracy is None else f"{figures.accuracy:.2%}",
        f"{figures.agreement:.2%}",
        f"{figures.max_error:.2g} {SIGMA}",
        f"{figures.typical_error:.2g} {SIGMA}",
    ]
