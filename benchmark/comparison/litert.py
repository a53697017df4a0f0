"""The paper's suite: `.tflite` files in LiteRT on the CPU."""

import keras

from keras_ghostnet import files, specs
from keras_ghostnet.benchmark.comparison import results
from keras_ghostnet.benchmark.comparison.cache import Cache
from keras_ghostnet.benchmark.comparison.measure import (
    MeasurementRun,
    describe_versions,
    warn_of_threads,
)
from keras_ghostnet.console import progress, step
from keras_ghostnet.export import formats, tflite
from keras_ghostnet.export.device import run
from keras_ghostnet.export.graph import lowering

RUNTIME = "litert"
FORMATS = ("fp32", "fp16", "int8")
DEFAULT = ("fp32", "int8")


def validate_options(options, found):
    """Tells before long work what does not fit.

    Args:
        options: `keras_ghostnet.benchmark.comparison.compare.Options`.
        found: A list of `ComparedNetwork`.

    Raises:
        ImportError: If LiteRT is missing.
        OSError: If the cache cannot be written to.
        ValueError: If a format, the target or the backend does not fit.
    """
    for name in options.formats or ():
        if name not in FORMATS:
            raise ValueError(
                f"The paper suite has no format {name!r}.{specs.suggest(name, FORMATS)}"
            )
    lowering.get_lowering(options.target, "float32")
    formats.require_packages(formats.get_format("tflite_fp32"))
    if keras.backend.backend() != "tensorflow" and any(subject.file is None for subject in found):
        raise ValueError(
            "Networks become TFLite files by TensorFlow. The active backend is "
            f"{keras.backend.backend()}: set KERAS_BACKEND=tensorflow, or compare .tflite files."
        )
    try:
        files.require_writable(Cache(options.cache).folder)
    except OSError as error:
        raise type(error)(str(error).replace("--out", "--cache")) from error


def exports_of(options, found, console):
    """The files of all networks, a list of `exports.Export`; new ones go to the cache."""
    cache, result = Cache(options.cache, options.target, options.force), []
    names = options.formats or DEFAULT
    with step(console) as done:
        with progress(console, "exporting", len(found)) as show:
            for number, subject in enumerate(found):
                show(number, subject.name)
                result += cache.exports(subject, names, options.size)
        done(f"exported {cache.made} files; {cache.found} were in {cache.folder}")
    kept = [export.model for export in result if export.size != (options.size or export.size)]
    if kept:
        console.print(
            f"Not of {options.size} pixels, since files keep their size: {', '.join(kept)}",
            soft_wrap=True,
        )
    if any(export.format == "int8" for export in result):
        console.print(
            "Ranges of int8 are those of random images: only their latency means something.",
            soft_wrap=True,
        )
    return result


def measure(options, found, out, console):
    """Measures milliseconds, all files in turn for each number of threads and batch size.

    Args:
        options, found: As `validate_options`.
        out: The folder of the CSV, a `pathlib.Path`.
        console: A `rich.console.Console` for progress.

    Returns:
        A list of `keras_ghostnet.benchmark.comparison.results.Measurement`.
    """
    machine = run.Conditions()
    results.read_existing(out / results.file_name(machine.device, RUNTIME))  # of this schema?
    for threads in options.threads:
        warn_of_threads(threads, len(machine.cores), console)
    exported = exports_of(options, found, console)
    target = lowering.host() if options.target == "host" else options.target
    timing = MeasurementRun(
        out,
        [[export.sha256 for export in exported], options.threads, options.batch],
        device=machine.device,
        runtime=RUNTIME,
        versions=describe_versions(RUNTIME, target),
        calls=options.calls,
        console=console,
        force=options.force,
    )
    measured = []
    for threads in options.threads:
        for batch in dict.fromkeys((1, *sorted(options.batch))):
            models = _load(exported, threads, batch, console)
            measured += timing.measure(
                f"{threads} {'thread' if threads == 1 else 'threads'}, batch {batch}",
                {
                    name: {**export.fields, "threads": threads, "batch": batch}
                    for name, (export, _) in models.items()
                },
                {name: model.interpreter.invoke for name, (_, model) in models.items()},
            )
    timing.finish()
    return measured


def _load(exported, threads, batch, console):
    """By name the `Export` and its model in LiteRT, where it can take so many images."""
    loaded, left_out = {}, []
    for export in exported:
        model = tflite.load(export.path, threads)
        try:
            if batch > 1:
                model.resize(batch)
        except (RuntimeError, ValueError):  # a shape is fixed somewhere within
            left_out.append(f"{export.model} ({export.format})")
        else:
            loaded[f"{export.model} {export.format}"] = export, model
    if left_out:
        console.print(
            f"With one image alone, to which their files are fixed: {', '.join(left_out)}",
            soft_wrap=True,
        )
    return loaded
