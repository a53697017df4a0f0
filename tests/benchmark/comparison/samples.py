"""Measurements as they might be: the paper's own latencies, where it has them."""

import dataclasses

from keras_ghostnet.benchmark import paper_table
from keras_ghostnet.benchmark.comparison.results import Measurement

FORMATS = {"fp32": 1.0, "int8": 0.5}


def measurement(row, fmt="fp32", **changes):
    """A row's measurement in a format."""
    median = (row.arm_ms or row.macs / 5) / 10 * FORMATS[fmt]
    found = Measurement(
        run="2026-01-02T03:04:05Z",
        model=row.name,
        format=fmt,
        runtime="litert",
        device="A <CPU> & more",
        threads=1,
        size=row.size,
        batch=1,
        unit="ms",
        median=median,
        p10=0.9 * median,
        p90=1.2 * median,
        calls=100,
        bytes=int(4e6 * row.parameters * FORMATS[fmt]),
        parameters=int(1e6 * row.parameters),
        macs=int(1e6 * row.macs),
        noisy=False,
        versions="keras 3; ai-edge-litert 2",
        sha256="",
    )
    return dataclasses.replace(found, **changes)


def measurements(suite="paper", **changes):
    """All rows of a table on the CPU in both formats."""
    rows = [row for row in paper_table.rows(suite) if row.macs]
    return [measurement(row, fmt, **changes) for row in rows for fmt in FORMATS]
