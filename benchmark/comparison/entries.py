"""Rows of the table with what was measured of them: what terminal, page and pictures show."""

import dataclasses

from keras_ghostnet.benchmark import paper_table
from keras_ghostnet.benchmark.comparison import results, runtimes

REFERENCE = "ghostnet_100"
FIRST = ("fp32", "int8")  # of the formats; others follow by name
RUNTIMES = {
    **{name: one.title for name, one in runtimes.RUNTIMES.items()},
    "jax": "JAX",
    "qemu": "LiteRT in QEMU",
    "tensorflow": "TensorFlow",
    "torch": "PyTorch",
}
THREADED = (*runtimes.RUNTIMES, "qemu")  # runtimes that are told how many threads to use
SEVERAL = ", "  # between the runtimes of a run
# A counted figure agrees with a published one to 1 %, or to the published one's last digit.
TOLERANCE = 0.01


@dataclasses.dataclass(frozen=True)
class Unit:
    """How a measured quantity is shown.

    Attributes:
        quantity: What it is.
        symbol, heading: The unit, and what stands for it where there is no quantity beside it.
        divisor: Of the figures in a file of measurements.
    """

    quantity: str
    symbol: str
    heading: str
    divisor: float


UNITS = {
    "ms": Unit("latency", "ms", "ms", 1),
    "instructions": Unit("instructions", "M", "M instr.", 1e6),
}


@dataclasses.dataclass(frozen=True)
class Conditions:
    """What figures must have in common to be compared.

    Attributes:
        device, runtime, threads, batch, unit: As in `results.Measurement`; of a run in several
            runtimes, all their names, with commas.
        size: Side of the image in pixels; None where each network has that of its row.
    """

    device: str
    runtime: str
    threads: int
    batch: int
    unit: str
    size: int | None

    def __str__(self):
        threads = ""
        names = self.runtime.split(SEVERAL)
        if names[0] in THREADED:
            threads = f", {self.threads} {'thread' if self.threads == 1 else 'threads'}"
        batch = "" if self.batch == 1 else f", batches of {self.batch}"
        size = "" if self.size is None else f", {self.size} x {self.size} pixels"
        runtime = SEVERAL.join(RUNTIMES.get(name, name) for name in names)
        return f"{self.device}, {runtime}{threads}{batch}{size}"


@dataclasses.dataclass(frozen=True)
class Entry:
    """A row and its measurements under the same conditions.

    Attributes:
        row: A `keras_ghostnet.benchmark.paper_table.Row`.
        measured: A dict of formats and `results.Measurement`, not empty. Where runtimes were
            compared, a format is a runtime and a precision, such as `"ncnn fp16"`.
    """

    row: object
    measured: dict

    @property
    def best(self):
        """The format that costs least."""
        return min(self.measured, key=self.value)

    @property
    def parameters(self):
        """Counted, millions; None if not known."""
        return _millions(self._any.parameters)

    @property
    def macs(self):
        """Counted at the measured size of the image, millions; None if not known."""
        return _millions(self._any.macs)

    @property
    def size(self):
        """Side of the image in pixels."""
        return self._any.size

    @property
    def top1(self):
        """As published on ImageNet, else as a training run measured it on `images`; or None."""
        return self._any.top1 if self.row.top1 is None else self.row.top1

    @property
    def images(self):
        """What `top1` was measured on in a training run; empty where it was published."""
        return self._any.images

    @property
    def _any(self):
        return next(iter(self.measured.values()))

    def value(self, fmt):
        """The median in the unit that is shown; None if this format was not measured."""
        return self._scaled(fmt, "median")

    def spread(self, fmt):
        """What a tenth of the calls were below and above; None if this was not measured."""
        if fmt not in self.measured:
            return None
        return self._scaled(fmt, "p10"), self._scaled(fmt, "p90")

    def is_noisy(self, fmt):
        """Whether the machine was busy meanwhile."""
        return fmt in self.measured and bool(self.measured[fmt].noisy)

    def _scaled(self, fmt, name):
        if fmt not in self.measured:
            return None
        measurement = self.measured[fmt]
        return getattr(measurement, name) / UNITS[measurement.unit].divisor


@dataclasses.dataclass(frozen=True)
class Comparison:
    """All rows that were measured under the same conditions.

    Attributes:
        conditions: `Conditions`.
        formats: Their names, in the order in which they are shown.
        entries: A list of `Entry`, in the table's order.
        reference: The name of the row that ratios refer to.
    """

    conditions: Conditions
    formats: tuple
    entries: list
    reference: str

    @property
    def has_runtimes(self):
        """Whether several runtimes were compared."""
        return SEVERAL in self.conditions.runtime

    @property
    def measurements(self):
        return [value for entry in self.entries for value in entry.measured.values()]

    def ratio(self, entry, fmt):
        """An entry's figure over that of the reference; None if either was not measured."""
        for other in self.entries:
            if other.row.name == self.reference and fmt in other.measured and fmt in entry.measured:
                return entry.value(fmt) / other.value(fmt)
        return None


def comparisons(measurements, suite="paper", reference=REFERENCE):
    """Sorts measurements by their conditions; of repeated ones the newest counts.

    Args:
        measurements: A list of `results.Measurement`.
        suite: Whose rows to take, one of `paper_table.SUITES`.
        reference: The name of the row that ratios refer to.

    Returns:
        A list of `Comparison`, that of the newest measurement first. Models that are in no suite
        follow the suite's rows.

    Raises:
        ValueError: If there is nothing to show.
    """
    rows = {row.name: row for row in paper_table.rows(suite)}
    foreign = {row.name for other in paper_table.SUITES for row in paper_table.rows(other)} - set(
        rows
    )
    # What a run measured at another size than the published one: its other networks go with it.
    resized = {
        (measurement.run, measurement.size)
        for measurement in measurements
        if measurement.model in rows and measurement.size != rows[measurement.model].size
    }
    named = {}
    for measurement in measurements:
        if measurement.runtime in runtimes.RUNTIMES:
            named.setdefault(_turn(measurement), set()).add(measurement.runtime)
    several = {turn: SEVERAL.join(sorted(names)) for turn, names in named.items() if len(names) > 1}
    groups = {}
    for measurement in sorted(results.latest(measurements), key=lambda m: m.run, reverse=True):
        name = measurement.model
        if name in foreign:
            continue
        row = rows.setdefault(name, _unpublished(measurement, suite))
        as_published = (
            measurement.size == row.size and (measurement.run, measurement.size) not in resized
        )
        conditions, fmt = _conditions(measurement, as_published), measurement.format
        turn = _turn(measurement)
        if turn in several and measurement.runtime in runtimes.RUNTIMES:
            conditions = dataclasses.replace(conditions, runtime=several[turn])
            fmt = f"{measurement.runtime} {fmt}"
        groups.setdefault(conditions, {}).setdefault(name, {})[fmt] = measurement
    if not groups:
        names = ", ".join(sorted({measurement.model for measurement in measurements}))
        raise ValueError(
            f"Nothing of the table {suite!r} was measured. Found measurements of: "
            f"{names or 'nothing'}."
        )
    return [
        Comparison(
            conditions,
            tuple(sorted({fmt for measured in models.values() for fmt in measured}, key=_order)),
            [
                Entry(row, {fmt: models[name][fmt] for fmt in sorted(models[name], key=_order)})
                for name, row in rows.items()
                if name in models
            ],
            reference,
        )
        for conditions, models in groups.items()
    ]


def agree(counted, published, step):
    """Whether a counted figure is the published one.

    Args:
        counted, published: In the same unit.
        step: What the last digit of the published one stands for.
    """
    return abs(counted - published) <= max(TOLERANCE * published, step / 2)


def _turn(measurement):
    """What measurements of several runtimes share if they can be compared.

    Times were taken in turn, in one run. Of a device, numbers of instructions do not change.
    """
    return measurement.run if measurement.unit == "ms" else measurement.device


def _conditions(measurement, as_published):
    size = None if as_published else measurement.size
    shared = {
        field.name: getattr(measurement, field.name)
        for field in dataclasses.fields(Conditions)
        if field.name != "size"
    }
    return Conditions(size=size, **shared)


def _unpublished(measurement, suite):
    """The row of a model that the user brought."""
    unknown = dict.fromkeys(("parameters", "macs", "arm_ms", "top1", "top5"))
    name = measurement.model
    return paper_table.Row(
        name=name, title=name, suite=suite, size=measurement.size, source="", **unknown
    )


def _order(fmt):
    return FIRST.index(fmt) if fmt in FIRST else len(FIRST), fmt


def _millions(number):
    return None if number is None else number / 1e6
