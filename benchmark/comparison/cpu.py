"""The suites "paper" and "since": exported files in their runtimes on the CPU."""

import keras
import numpy as np

from keras_ghostnet import files
from keras_ghostnet.benchmark.comparison import results, runtimes
from keras_ghostnet.benchmark.comparison.cache import Cache
from keras_ghostnet.benchmark.comparison.measure import (
    MeasurementRun,
    describe_versions,
    warn_of_threads,
)
from keras_ghostnet.benchmark.networks import random_weights
from keras_ghostnet.console import progress, step
from keras_ghostnet.export import formats
from keras_ghostnet.export.device.conditions import Conditions
from keras_ghostnet.export.graph import lowering

LITERT = "litert"
DEFAULT = ("fp32", "int8")  # of LiteRT alone; of several runtimes all that they have


def validate_options(options, found):
    """Tells before long work what does not fit.

    Args:
        options: `keras_ghostnet.benchmark.comparison.compare.Options`.
        found: A list of `ComparedNetwork`.

    Raises:
        ImportError: If a runtime is missing.
        OSError: If the cache cannot be written to.
        ValueError: If a runtime, a format, the target or the backend does not fit.
    """
    choose(options)
    own = [subject.name for subject in found if subject.file is not None]
    if own and LITERT not in options.runtimes:
        raise ValueError(f"{own[0]} runs in LiteRT: name it with --runtimes, too.")
    others = [name for name in options.runtimes if name != LITERT]
    if others and any(batch > 1 for batch in options.batch):
        raise ValueError(
            f"Batches are compared in LiteRT alone. Received: --batch and --runtimes {others[0]}."
        )
    lowering.get_lowering(options.target, "float32")
    if keras.backend.backend() != "tensorflow" and any(subject.file is None for subject in found):
        raise ValueError(
            "Networks become TFLite files by TensorFlow. The active backend is "
            f"{keras.backend.backend()}: set KERAS_BACKEND=tensorflow, or compare .tflite files."
        )
    try:
        files.require_writable(Cache(options.cache).folder)
    except OSError as error:
        raise type(error)(str(error).replace("--out", "--cache")) from error


def choose(options):
    """Runtimes and precisions of options, as `runtimes.choose`."""
    is_alone = tuple(options.runtimes) == (LITERT,)
    default = DEFAULT if is_alone else runtimes.PRECISIONS
    return runtimes.choose(options.runtimes, options.formats, default)


def exports_of(options, found, console, each=None):
    """The files of all networks, a list of `exports.Export`; new ones go to the cache.

    Args:
        options, found, console: As `measure`.
        each: Function of an `exports.Export`, called as soon as there is one.
    """
    cache, result = Cache(options.cache, options.target, options.force), []
    with step(console) as done:
        with progress(console, "exporting", len(found)) as show:
            for number, subject in enumerate(found):
                show(number, subject.name)
                for export in cache.exports(subject, choose(options), options.size):
                    result.append(export)
                    if each:
                        each(export)
        done(f"exported {cache.made} files; {cache.found} were in {cache.folder}")
    for reason in cache.refused:
        console.print(f"Left out: {reason}", soft_wrap=True, markup=False)
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
    machine, name = Conditions(), "-".join(options.runtimes)
    results.read_existing(out / results.file_name(machine.device, name))  # of this schema?
    for threads in options.threads:
        warn_of_threads(threads, len(machine.cores), console)
    exported = exports_of(options, found, console)
    target = lowering.host() if options.target == "host" else options.target
    versions = {name: describe_versions(name, target) for name in options.runtimes}
    timing = MeasurementRun(
        out,
        [[export.sha256 for export in exported], options.threads, options.batch],
        device=machine.device,
        runtime=name,
        versions="; ".join(versions.values()),
        calls=options.calls,
        console=console,
        force=options.force,
    )
    measured = []
    for threads in options.threads:
        for batch in dict.fromkeys((1, *sorted(options.batch))):
            loaded = _load(exported, threads, batch, console)
            measured += timing.measure(
                f"{threads} {'thread' if threads == 1 else 'threads'}, batch {batch}",
                {
                    name: {
                        **export.fields,
                        "versions": versions[export.runtime],
                        "threads": threads,
                        "batch": batch,
                    }
                    for name, (export, _) in loaded.items()
                },
                {name: function for name, (_, function) in loaded.items()},
            )
    timing.finish()
    return measured


def _load(exported, threads, batch, console):
    """By name the `Export` and a function that runs it, where it can take so many images."""
    loaded, left_out = {}, []
    for export in exported:
        model = formats.load(export.path, export.artifact_format, threads)
        try:
            function = _function(export, model, batch)
        except (RuntimeError, ValueError):  # a shape is fixed somewhere within
            left_out.append(f"{export.model} ({export.format})")
        else:
            loaded[f"{export.model} {export.runtime} {export.format}"] = export, function
    if left_out:
        console.print(
            f"With one image alone, to which their files are fixed: {', '.join(left_out)}",
            soft_wrap=True,
        )
    return loaded


def _function(export, model, batch):
    if export.runtime != LITERT:
        (image,) = random_weights.random_images(1, export.size, export.size)
        return model.single(np.asarray(image, "float32"))
    if batch > 1:
        model.resize(batch)
    return model.interpreter.invoke
