"""Measurements as a CSV: one line for a model in a format on a device."""

import csv
import dataclasses
import pathlib
import re
import typing

from keras_ghostnet import files

SHOWN = 200  # characters of what is none of ours
SCHEMA = 2  # of the columns; the first column of a file


@dataclasses.dataclass(frozen=True)
class Measurement:
    """One line. Unknown numbers are None, unknown texts empty.

    Attributes:
        run: When the run started, ISO 8601 in UTC; the same for all that was measured in turn.
        model: The name of a row of the table, or what the user named.
        format: `"fp32"`, `"fp16"`, `"bf16"` or `"int8"`.
        runtime: Of `keras_ghostnet.benchmark.comparison.runtimes.RUNTIMES`; or `"tensorflow"`,
            `"jax"`, `"torch"` or `"qemu"`.
        device: Name of the CPU or card.
        threads: That the runtime was given.
        size: Side of the image in pixels.
        batch: Images in a call.
        unit: Of the three figures that follow: `"ms"` or `"instructions"`.
        median, p10, p90: Of the calls.
        calls: The number of calls that were measured.
        bytes: Of the artifact; of the weights where there is none.
        parameters, macs: Counted in the network that was measured, at this size, of one image.
        noisy: Whether other work disturbed the run.
        versions: Package and version, with semicolons.
        sha256: Of the artifact.
        parts: The number of partitions that XNNPACK divides it into, the remainder included.
        conditions: Of the machine: cores, frequency, governor, load.
        top1: Of the Keras model in its training run, percent.
        images: What `top1` was measured on, such as `"20 held-out images of photos"`.
    """

    run: str
    model: str
    format: str
    runtime: str
    device: str
    threads: int
    size: int
    batch: int
    unit: str
    median: float
    p10: float
    p90: float
    calls: int
    bytes: int | None
    parameters: int | None
    macs: int | None
    noisy: bool
    versions: str
    sha256: str
    parts: int | None = None
    conditions: str = ""
    top1: float | None = None
    images: str = ""


FIELDS = dataclasses.fields(Measurement)
COLUMNS = ("schema", *(field.name for field in FIELDS))
SCHEMAS = {"1": COLUMNS[:-2], str(SCHEMA): COLUMNS}  # that are read
UNITS = ("ms", "instructions")
LEAST, LARGEST = 1e-9, 1e18  # of what is measured or counted
KEY = ("model", "format", "threads", "size", "batch", "unit", "runtime", "device")


def read_measurements(path):
    """The measurements of a file.

    Args:
        path: A CSV as `append_measurements` or a device's `run.py` writes it.

    Returns:
        A list of `Measurement`, in the file's order.

    Raises:
        FileNotFoundError: If there is none.
        ValueError: If it is of another schema or something else; the message says what to do.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}.")
    try:
        with path.open(newline="", encoding="utf-8") as file:
            header, *lines = list(csv.reader(file)) or [[]]
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path} is not a CSV: {error}.") from error
    if header[:1] != ["schema"]:
        raise ValueError(
            f"{path} is not a table of measurements: its columns are "
            f"{', '.join(header[:5])[:SHOWN] or 'none'} ..., expected {', '.join(COLUMNS[:5])} "
            "... Give a file that `ghostnet compare` or a device's run.py wrote."
        )
    schemas = {line[0] for line in lines if line}
    if any(tuple(header) != SCHEMAS.get(schema) for schema in schemas or {str(SCHEMA)}):
        found = ", ".join(sorted(schemas))[:SHOWN] or "another number of columns"
        raise ValueError(
            f"{path} was written by another version of this package: schema {found}, expected "
            f"{SCHEMA} with {len(COLUMNS)} columns. Move it away and measure again."
        )
    return [_measurement(path, number, line) for number, line in enumerate(lines, 2) if line]


def read_existing(path):
    """As `read_measurements`; an empty list if there is no file yet."""
    return read_measurements(path) if pathlib.Path(path).exists() else []


def append_measurements(path, measurements):
    """Adds lines to a file, which is replaced as a whole; a new one gets the header.

    Args:
        path: The CSV; its folder is created.
        measurements: A list of `Measurement`.

    Raises:
        ValueError: If the file is not one of this schema. It stays as it is.
    """
    path = pathlib.Path(path)
    known = read_existing(path)
    with files.replacing(path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for measurement in (*known, *measurements):
            writer.writerow((SCHEMA, *(_text(measurement, field) for field in FIELDS)))


def file_name(device, runtime):
    """The name of a device's file: `intel-xeon-platinum-litert.csv`."""
    return f"{re.sub('[^a-z0-9]+', '-', device.lower()).strip('-')}-{runtime}.csv"


def latest(measurements):
    """Of several measurements of the same (`KEY`) the one of the newest run.

    Returns:
        A list, in the order in which each first appears.
    """
    newest = {}
    for measurement in measurements:
        key = tuple(getattr(measurement, name) for name in KEY)
        if key not in newest or measurement.run >= newest[key].run:
            newest[key] = measurement
    return list(newest.values())


def _measurement(path, number, line):
    try:
        fields = FIELDS[: len(SCHEMAS[line[0]]) - 1]
        values = [
            _value(files.from_cell(text), field.type)
            for text, field in zip(line[1:], fields, strict=True)
        ]
        measurement = Measurement(*values)
        _require_possible(measurement)
    except ValueError as error:
        raise ValueError(
            f"{path}, line {number}, is damaged: {str(error)[:SHOWN]}. Remove the line, or take a "
            "copy of the file."
        ) from error
    return measurement


def _require_possible(measurement):
    """Refuses numbers that nobody can have measured."""
    ranges = dict.fromkeys(("threads", "size", "batch", "calls"), (1, LARGEST))
    ranges |= dict.fromkeys(("bytes", "parameters", "macs", "parts"), (0, LARGEST))
    ranges |= dict.fromkeys(("p10", "median", "p90"), (LEAST, LARGEST)) | {"top1": (0, 100)}
    for name, (least, most) in ranges.items():
        value = getattr(measurement, name)
        if value is not None and not least <= value <= most:  # so that a NaN is refused
            raise ValueError(f"{name} is {value}, expected {least:g} to {most:g}")
    if not measurement.p10 <= measurement.median <= measurement.p90:
        raise ValueError("expected p10, median and p90 in this order")
    if measurement.unit not in UNITS:
        raise ValueError(f"unit is {measurement.unit!r}, expected {' or '.join(UNITS)}")


def _value(text, kind):
    if kind is bool:
        return ("0", "1").index(text) == 1
    if kind in (str, int, float):
        return kind(text)
    kind, _ = typing.get_args(kind)  # or None
    return kind(text) if text else None


def _text(measurement, field):
    value = getattr(measurement, field.name)
    if value is None:
        return ""
    return int(value) if field.type is bool else files.cell(value)
