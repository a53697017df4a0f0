"""The whole of `ghostnet compare`: what can be wrong is told before long work."""

import contextlib
import dataclasses
import pathlib

from keras_ghostnet import extras, specs
from keras_ghostnet.benchmark import paper_table
from keras_ghostnet.benchmark.compare import kit, litert, results, throughput
from keras_ghostnet.benchmark.compare.compared_networks import SMALLEST, resolve_networks
from keras_ghostnet.benchmark.compare.measure import explain_noise
from keras_ghostnet.export import destination

SUITES = {"paper": litert, "gpu": throughput}
PAGE, PICTURE = "compare.html", "compare.png"
REPORT_PACKAGES = ("jinja2", "matplotlib")


@dataclasses.dataclass(frozen=True)
class Options:
    """What is compared, and how.

    Attributes:
        suite: `"paper"`, which runs as TFLite in LiteRT on the CPU, or `"gpu"`, which runs in
            Keras on the device of the active backend.
        models: Names of rows, runs' folders, `.keras` and `.tflite` files; None for the suite.
        formats: Their names; None for fp32 and int8, on accelerators fp32, fp16 and bf16.
        threads: Numbers of LiteRT's threads.
        size: Side of the rows' images in pixels; None for the published one.
        calls: How many of each model to time.
        batch: Images in a call. The paper's suite always measures one as well.
        target: The processor that TFLite files are written for, as `ghostnet export` takes it.
        cache: Folder of the exported files; None for the user's cache.
        force: Whether to export again, and to restart an interrupted run.
    """

    suite: str = "paper"
    models: tuple | None = None
    formats: tuple | None = None
    threads: tuple = (1,)
    size: int | None = None
    calls: int = 100
    batch: tuple = ()
    target: str = "host"
    cache: str | None = None
    force: bool = False

    def __post_init__(self):
        if self.suite not in SUITES:
            raise ValueError(
                f"There is no suite {self.suite!r}.{specs.suggest(self.suite, SUITES)}"
            )
        if self.calls < 1:
            raise ValueError(f"At least one call must be timed (--calls). Received: {self.calls}.")
        for name, numbers in (("threads", self.threads), ("batch", self.batch)):
            if min(numbers, default=1) < 1:
                raise ValueError(f"--{name} must be at least 1. Received: {min(numbers)}.")
        if self.size is not None and self.size < SMALLEST:
            raise ValueError(
                f"The networks need images of at least {SMALLEST} pixels (--resolution). "
                f"Received: {self.size}."
            )


def compare(options, out, console):
    """Measures models side by side and appends to the device's CSV.

    Args:
        options: `Options`.
        out: The folder of the CSV; what an interrupted run has measured is kept there.
        console: A `rich.console.Console` for progress.

    Returns:
        A list of `keras_ghostnet.benchmark.compare.results.Measurement`, this run's.

    Raises:
        ImportError: If LiteRT is missing.
        OSError: If there is no such file, or a folder cannot be written to.
        ValueError: If an option or a model does not fit, or the CSV is of another schema.
    """
    suite, found = (
        SUITES[options.suite],
        resolve_networks(options.models, options.suite),
    )
    suite.validate_options(options, found)
    destination.check_writable(out)
    with _explained(console):
        measured = suite.measure(options, found, pathlib.Path(out), console)
    explain_noise(measured, console)
    return measured


def export_kit(options, folder, console):
    """Makes the folder that goes to a device (`kit.write_kit`); arguments and errors as `compare`.

    Raises:
        FileExistsError: If the folder holds something else.
    """
    if options.suite != "paper":
        raise ValueError("A device's folder has the models of the suite 'paper' (--suite).")
    found = resolve_networks(options.models, options.suite)
    litert.validate_options(options, found)
    kit.validate_folder(folder)
    destination.check_writable(pathlib.Path(folder).absolute().parent)
    with _explained(console):
        kit.write_kit(folder, litert.exports_of(options, found, console), options.target)


def read_measurements(paths, suite):
    """The measurements of devices' files.

    Args:
        paths: CSVs as `compare` or a device's `run.py` writes them.
        suite: Whose rows they must have.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If one is not a CSV of this schema, or of another table.
    """
    rows, measurements = _rows(suite), []
    for path in paths:
        found = results.read_measurements(path)
        models = dict.fromkeys(measurement.model for measurement in found)
        if not rows & set(models):
            others = [name for name in SUITES if name != suite and _rows(name) & set(models)]
            raise ValueError(
                f"{path} has no network of the suite {suite!r}, but "
                f"{', '.join([*models][:5]) or 'nothing at all'}."
                + (f" It is of another: --suite {others[0]}." if others else "")
            )
        measurements += found
    return measurements


def write_report(measurements, suite, out):
    """Writes the page and the picture of measurements.

    Args:
        measurements: A list of `keras_ghostnet.benchmark.compare.results.Measurement`.
        suite: Whose rows to show.
        out: The folder.

    Returns:
        Their paths.
    """
    from keras_ghostnet.benchmark.compare import pictures, report

    paths = [pathlib.Path(out) / name for name in (PAGE, PICTURE)]
    for path, write in zip(paths, (report.write_html, pictures.write_png), strict=True):
        write(path, measurements, suite)
    return paths


def require_report_packages():
    """Tells before long work whether the report can be drawn.

    Raises:
        ImportError: If Jinja or matplotlib is missing.
    """
    extras.require(*REPORT_PACKAGES, purpose="The report", extra="compare")


def _rows(suite):
    return {row.name for row in paper_table.rows(suite)}


@contextlib.contextmanager
def _explained(console):
    try:
        yield
    except KeyboardInterrupt:
        console.print("Interrupted. What was done is kept: the same command goes on from there.")
        raise
