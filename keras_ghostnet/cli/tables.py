"""Tables on the terminal, in which names stay whole, so that they can be copied."""

from __future__ import annotations

import pathlib
from collections.abc import Iterable
from typing import TYPE_CHECKING

from keras_ghostnet import files

if TYPE_CHECKING:
    from rich.table import Table

    from keras_ghostnet.export.artifacts import ArtifactResult
    from keras_ghostnet.export.layerwise import LayerError

SIGMA = "\N{GREEK SMALL LETTER SIGMA}"  # of the Keras model's outputs


def new_table(
    names: Iterable[str] = (),
    texts: Iterable[str] = (),
    figures: Iterable[str] = (),
    *,
    title: str | None = None,
) -> Table:
    """A table without rows; columns in the order of the arguments.

    Args:
        names: Headings of columns that are never folded nor cut, however narrow the terminal.
        texts: Headings of columns that are folded where space is short.
        figures: Headings of columns that are aligned to the right and never folded.
        title: Text above the table.
    """
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, title=title, pad_edge=False, padding=(0, 1, 0, 0))
    for heading in names:
        table.add_column(heading, no_wrap=True)
    for heading in texts:
        table.add_column(heading, overflow="fold")
    for heading in figures:
        table.add_column(heading, no_wrap=True, justify="right")
    return table


def verification_table(results: Iterable[ArtifactResult]) -> Table:
    """One row for each exported format: figures, and whether it passed."""
    results = list(results)
    is_timed = any(result.milliseconds for result in results)
    of_pixels = any(r.verification and r.verification.mean_iou is not None for r in results)
    figures = ("Size", "Mean IoU" if of_pixels else "Top-1", "Same class", "Max error", "Typical")
    table = new_table(names=("Format",), figures=(*figures, *(("ms",) if is_timed else ()), ""))
    for result in results:
        cells = _cells(result)
        if is_timed:
            cells.append("-" if result.milliseconds is None else f"{result.milliseconds:.2f}")
        table.add_row(result.format, *cells, result.outcome)
    return table


def layer_table(name: str, errors: Iterable[LayerError]) -> Table:
    """One row for each layer of an int8 artifact, in the given order."""
    figures = ("Max error", "Typical", "Cosine")
    table = new_table(names=("Layer",), figures=figures, title=name)
    for error in errors:
        table.add_row(
            error.layer,
            f"{error.max_error:.2g} {SIGMA}",
            f"{error.typical_error:.2g} {SIGMA}",
            f"{error.cosine:.5f}",
        )
    return table


def notes_of(results: Iterable[ArtifactResult]) -> list[str]:
    """What artifacts were verified on, a line for each set of images, and computed in."""
    sets: dict[str, list[str]] = {}
    for result in results:
        if result.images:
            sets.setdefault(result.images, []).append(result.format)
    lines = [
        f"Verified on {images}{'' if len(sets) == 1 else ': ' + ', '.join(dict.fromkeys(names))}"
        for images, names in sets.items()
    ]
    for result in results:
        if result.verification is not None and result.verification.arithmetic:
            here = result.verification.arithmetic
            lines.append(f"{result.format} was computed in {here} on this processor")
    return lines


def _cells(result: ArtifactResult) -> list[str]:
    path, size = result.path, result.bytes
    if isinstance(path, pathlib.Path) and path.exists():
        size = files.size(path)
    shown, figures = "-" if size is None else f"{size / 1e6:.2f} MB", result.verification
    if figures is None:
        return [shown, "-", "-", "-", "-"]
    accuracy = figures.accuracy if figures.mean_iou is None else figures.mean_iou
    return [
        shown,
        "-" if accuracy is None else f"{accuracy:.2%}",
        f"{figures.agreement:.2%}",
        f"{figures.max_error:.2g} {SIGMA}",
        f"{figures.typical_error:.2g} {SIGMA}",
    ]
