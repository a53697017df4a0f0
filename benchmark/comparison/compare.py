"""The comparison of networks on a device, and the report on what devices have measured."""

import contextlib
import dataclasses
import os
import pathlib
from collections.abc import Iterable, Sequence
from typing import Annotated, Any

from rich.console import Console

from keras_ghostnet import extras, files, specs, stores
from keras_ghostnet.benchmark import paper_table
from keras_ghostnet.benchmark.comparison import cpu, kit, results, runtimes, terminal, throughput
from keras_ghostnet.benchmark.comparison.compared_networks import (
    ComparedNetwork,
    resolve_networks,
)
from keras_ghostnet.benchmark.comparison.measure import explain_noise
from keras_ghostnet.defaults import keras_defaults
from keras_ghostnet.training.settings import Count, Threads, Within, check_ranges, kinds

SUITES = {"paper": cpu, "since": cpu, "gpu": throughput}
Side = Annotated[int, Within("[32, 8000]")]  # of images in pixels; the networks need 32
PAGE, PICTURE = "compare.html", "compare.png"
REPORT_PACKAGES = ("jinja2", "matplotlib")
NO_PICTURE = (
    "No {}: it takes two networks whose accuracy is known on the same images, as published or in "
    "the metrics.json of runs that have ended."
)


@dataclasses.dataclass(frozen=True)
class Options:
    """What is compared, and how.

    Attributes:
        suite: `"paper"` or `"since"`, whose exported files run on the CPU, or `"gpu"`, which runs
            in Keras on the device of the active backend.
        models: Names of rows, runs' folders, `.keras` and `.tflite` files; None for the suite.
        runtimes: Of the suites on the CPU, names of `runtimes.RUNTIMES`.
        formats: Their names; None for fp32 and int8, of several runtimes all that they have, on
            accelerators fp32, fp16 and bf16.
        threads: Numbers of the runtimes' threads.
        size: Side of the images in pixels; None for the published one of a row, and the own one of
            a model. A `.tflite` file keeps its own.
        calls: The number of calls to time of each model.
        batch: Images in a call. The suites on the CPU always measure one as well.
        target: The processor that TFLite files are written for, as `ghostnet export` takes it.
        cache: Folder of the exported files; None for the user's cache.
        force: Whether to export again, and to restart an interrupted run.
        trust_model: Whether the files of `models` may run code, as
            `keras_ghostnet.model_file.load_model`.
    """

    suite: str = "paper"
    models: Sequence[str] | None = None
    runtimes: tuple[str, ...] = ("litert",)
    formats: Sequence[str] | None = None
    threads: tuple[Threads, ...] = (1,)
    size: Side | None = None
    calls: Count = 100
    batch: tuple[Count, ...] = ()
    target: str = "host"
    cache: str | None = None
    force: bool = False
    trust_model: bool = False

    def __post_init__(self):
        if self.suite not in SUITES:
            raise ValueError(
                f"There is no suite {self.suite!r}.{specs.suggest(self.suite, SUITES)}"
            )
        if SUITES[self.suite] is not cpu and tuple(self.runtimes) != (cpu.LITERT,):
            raise ValueError(
                f"Runtimes are of the suites 'paper' and 'since' (--suite). Received: "
                f"{', '.join(self.runtimes)} with the suite {self.suite!r}."
            )
        check_ranges(kinds(Options), vars(self))


@keras_defaults()
def compare(
    models: Sequence[str] | None = None,
    directory: str | os.PathLike[str] = "compare",
    *,
    console: Console | None = None,
    **options: Any,
) -> list[results.Measurement]:
    """Measures networks side by side on this device, and shows and writes the report.

    What can be wrong with the arguments is reported before long work starts. An interrupted run
    is resumed by the same call.

    Args:
        models: Names of rows of the table, runs' folders, `.keras` and `.tflite` files, here or in
            a store; None for all rows of the suite.
        directory: The folder, here or in a store: the device's CSV, to which measurements are
            appended, `compare.html`, and `compare.png` if there is something to draw.
        console: Shows progress and the table; None prints nothing.
        **options: The other fields of `Options`.

    Returns:
        This run's measurements.

    Raises:
        ImportError: If a runtime, Jinja or matplotlib is missing.
        OSError: If there is no such file, or a folder cannot be written to.
        ValueError: If an option or a model does not fit, or the CSV is of another schema.
    """
    chosen, console = Options(models=models, **options), console or Console(quiet=True)
    require_report_packages()
    suite, found = SUITES[chosen.suite], resolve_rows(chosen)
    suite.validate_options(chosen, found)
    with stores.mirrored(directory) as folder:
        files.require_writable(folder)
        with _explained(console):
            measured = suite.measure(chosen, found, folder, console)
        explain_noise(measured, console)
        _report(measured, chosen.suite, folder, directory, console)
    return measured


@keras_defaults()
def export_kit(
    models: Sequence[str] | None,
    directory: str | os.PathLike[str],
    *,
    console: Console | None = None,
    **options: Any,
) -> None:
    """Makes the folder that goes to a device (`kit.write_kit`).

    Args:
        models, console, **options: As `compare`.
        directory: The folder; it appears whole or not at all.

    Raises:
        FileExistsError: If the folder holds something else.
        ImportError, OSError, ValueError: As `compare`.
    """
    chosen, console = Options(models=models, **options), console or Console(quiet=True)
    if SUITES[chosen.suite] is not cpu:
        raise ValueError(
            "A device's folder has the models of the suites 'paper' and 'since' (--suite)."
        )
    found = resolve_rows(chosen)
    cpu.validate_options(chosen, found)
    for name in chosen.runtimes:
        if not runtimes.RUNTIMES[name].on_devices:
            known = [other for other, one in runtimes.RUNTIMES.items() if one.on_devices]
            raise ValueError(
                f"A device's script runs {', '.join(known)} (--runtimes). Received: {name}."
            )
    kit.validate_folder(directory)
    files.require_writable(pathlib.Path(directory).absolute().parent)
    with _explained(console):
        kit.write_kit(directory, cpu.exports_of(chosen, found, console), chosen.target)


def resolve_rows(options: Options) -> list[ComparedNetwork]:
    """The networks of options; nothing is built.

    Raises:
        FileNotFoundError: If there is no such file or folder.
        ValueError: If there is no such row, or it is of another suite.
    """
    found = resolve_networks(options.models, options.suite, options.trust_model)
    rows = _rows(options.suite)
    for one in found:
        if one.row is not None and one.name not in rows:
            suites = [name for name in SUITES if one.name in _rows(name)]
            raise ValueError(
                f"The suite {options.suite!r} has no {one.name}. It is of another: "
                f"--suite {suites[0]}. A run's folder and a .keras or .tflite file go with any."
            )
    return found


def report_measurements(
    paths: Sequence[str | os.PathLike[str]],
    suite: str = "paper",
    directory: str | os.PathLike[str] = "compare",
    *,
    console: Console | None = None,
) -> list[results.Measurement]:
    """Shows what devices have measured, and writes the report, as `compare` does.

    Args:
        paths: CSVs as `compare` or a device's `run.py` writes them.
        suite: Whose rows they have.
        directory, console: As `compare`.

    Returns:
        The measurements.

    Raises:
        ImportError: If Jinja or matplotlib is missing.
        OSError: If there is no such file, or the folder cannot be written to.
        ValueError: If a file is not a CSV of this schema, or of another table.
    """
    require_report_packages()
    measurements = read_measurements(paths, suite)
    with stores.mirrored(directory) as folder:
        files.require_writable(folder)
        _report(measurements, suite, folder, directory, console or Console(quiet=True))
    return measurements


def read_measurements(
    paths: Iterable[str | os.PathLike[str]], suite: str
) -> list[results.Measurement]:
    """The measurements of devices' files.

    Args:
        paths: CSVs as `compare` or a device's `run.py` writes them.
        suite: Whose rows they must have.

    Returns:
        Their measurements, in the order of the files.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If one is not a CSV of this schema, or of another table.
    """
    rows, measurements = _rows(suite), []
    for path in paths:
        found = results.read_measurements(stores.local(path))
        models = dict.fromkeys(measurement.model for measurement in found)
        others = [name for name in SUITES if name != suite and _rows(name) & set(models)]
        if not models or (others and not rows & set(models)):
            raise ValueError(
                f"{path} has no network of the suite {suite!r}, but "
                f"{', '.join([*models][:5]) or 'nothing at all'}."
                + (f" It is of another: --suite {others[0]}." if others else "")
            )
        measurements += found
    return measurements


def write_report(
    measurements: Sequence[results.Measurement], suite: str, out: str | os.PathLike[str]
) -> list[pathlib.Path]:
    """Writes the page of measurements, and the picture if there is something to draw.

    Args:
        measurements: Of any number of devices.
        suite: Whose rows to show.
        out: The folder.

    Returns:
        Their paths.
    """
    from keras_ghostnet.benchmark.comparison import pictures, report

    page, picture = (pathlib.Path(out) / name for name in (PAGE, PICTURE))
    report.write_html(page, measurements, suite)
    return [page, picture] if pictures.write_png(picture, measurements, suite) else [page]


def require_report_packages():
    """Tells before long work whether the report can be drawn.

    Raises:
        ImportError: If Jinja or matplotlib is missing.
    """
    extras.require(*REPORT_PACKAGES, purpose="The report", extra="compare")


def _report(measurements, suite, folder, directory, console):
    """Shows and writes a report into a folder, that of a directory which may be in a store."""
    terminal.show_table(console, measurements, suite)  # first: there is something to show of all
    paths = write_report(measurements, suite, folder)
    if len(paths) == 1:
        console.print(NO_PICTURE.format(PICTURE), soft_wrap=True)
    shown = (os.path.join(directory, path.name) for path in paths)
    console.print(f"Done: {', '.join(shown)}", soft_wrap=True)


def _rows(suite):
    return {row.name for row in paper_table.rows(suite)}


@contextlib.contextmanager
def _explained(console):
    try:
        yield
    except KeyboardInterrupt:
        console.print("Interrupted. What was done is kept: the same command resumes it.")
        raise
