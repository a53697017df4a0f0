"""From a Keras model, or what a user names as one, to verified artifacts."""

import dataclasses
import os
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from rich.console import Console

from keras_ghostnet import builder, files, model_input, model_reference
from keras_ghostnet.console import step
from keras_ghostnet.defaults import keras_defaults
from keras_ghostnet.export import class_names, destination, devices, images, samples
from keras_ghostnet.export.artifacts import (
    ArtifactError,
    ArtifactResult,
    Subject,
    export_artifacts,
)
from keras_ghostnet.export.device import run
from keras_ghostnet.export.formats import (
    FORMATS,
    get_format,
    load,
    missing_packages,
    require_packages,
)
from keras_ghostnet.export.graph import lowering
from keras_ghostnet.export.onnx.conversion import RUNTIMES
from keras_ghostnet.export.store_results import publishes
from keras_ghostnet.export.tflite import conversion, tuning
from keras_ghostnet.export.web import litert
from keras_ghostnet.model_input import PIXELS
from keras_ghostnet.precision import in_float32
from keras_ghostnet.quiet import quiet
from keras_ghostnet.training.data import require_same_classes
from keras_ghostnet.training.data.label_maps import IGNORED
from keras_ghostnet.training.heads import count_classes, is_of_pixels, require_exclusive_classes
from keras_ghostnet.training.settings import Count, Pixels, PositiveFraction, within_ranges

ALL = "all"
OF_IMAGES = ("web",)  # formats that take no classifier of pixels

Path = str | os.PathLike[str]


@within_ranges
@keras_defaults()
@publishes
def export(
    model: keras.Model | Path,
    directory: Path,
    formats: str | Sequence[str] | None = None,
    *,
    device: str | None = None,
    data: Path | tuple[np.ndarray, np.ndarray] | None = None,
    calibration: Path | np.ndarray | None = None,
    labels: Path | Sequence[str] | None = None,
    crop: PositiveFraction | None = None,
    image_size: Pixels | None = None,
    input: str | None = None,
    version: Count | None = None,
    allow_untrained: bool = False,
    replace: bool = False,
    trust_model: bool = False,
    console: Console | None = None,
    **options: Any,
) -> list[ArtifactResult]:
    """Exports a model to one or more formats, and verifies every artifact in its own runtime.

    What can be wrong with the arguments is reported before long work starts. An artifact appears
    in `directory` only once its outputs agree with the Keras model's on images that it was not
    calibrated with; then a JSON file beside it (its sidecar) describes it. If one format fails,
    the others are exported nevertheless, and an earlier artifact of its name stays as it was.

    Args:
        model: A Keras classifier of RGB images of a fixed size; or a run's folder (its best model),
            a `.keras` file, both here or in a store, a name of `keras_ghostnet.list_models()`,
            taken with its ImageNet weights, or `hf://ORG/NAME` of the Hugging Face hub. A
            classifier of every pixel, whose output is `(height, width, classes)`, is taken too. Of
            any precision: its exports are those of, and are compared with, the model in float32.
        directory: The folder for the artifacts, here or in a store; made if it is not there.
        formats: The formats' names, `keras_ghostnet.export.formats.FORMATS`; `["all"]` for every
            one whose packages are installed; None for those of `device`, or `"tflite_int8"`.
        device: A name of `keras_ghostnet.export.devices.DEVICES`, which picks formats and options;
            `options` count before its own.
        data: Labeled images: what `keras_ghostnet.training.data.open_source` takes, of which the
            training split calibrates and the held-out split verifies; or arrays of pixels, uint8
            `(n, height, width, 3)`, and of class indices `(n,)`, or of every pixel's, where 255 is
            no class, of which every second calibrates int8 formats and the others verify. None
            takes the images that the run was trained on.
        calibration: Images without labels to calibrate int8 formats with: a folder, or pixels of
            the model's size, uint8 `(n, height, width, 3)`, as an array or a `.npy` file. If there
            is no `data`, every second one calibrates and the others verify.
        labels: The classes' names in the order of the outputs, or a file of them, one per line or
            a JSON list; None takes those of the run or of `data`.
        crop: The fraction of a resized image's shorter side that the model is to see, in (0, 1];
            None takes that of the run, or 0.875.
        image_size: Side of the images that the model is to take, pixels, for one whose size is open
            or to be another; None takes the model's, or the run's.
        input: What the model takes: `"normalized"` images (`keras_ghostnet.preprocess_input`), or
            `"pixels"` in [0, 255] if it normalizes them itself; None detects which.
        version: The version of a SavedModel, from 1; None takes the next one.
        allow_untrained: Whether a model that seems untrained may become int8.
        replace: Whether artifacts of another model of the same name may be replaced.
        trust_model: Whether the model's file may run code, as
            `keras_ghostnet.model_file.load_model`.
        console: Shows progress; None prints nothing.
        **options: Options of the formats, such as `io="uint8"`, `fold_preprocessing=True`,
            `target="avx2"`, `layout="NCHW"`, `runtime="tensorrt"` or `top_k=3`; each format gets
            those that it takes. With `target="measured"` TFLite files are lowered by what is
            fastest here, and all artifacts are timed in turn: `ArtifactResult.milliseconds`.

    Returns:
        One `ArtifactResult` per format, with the artifact's path and its verification.

    Raises:
        ArtifactError: If formats fail; it has the results of all.
        FileNotFoundError: If the model or the images are not there.
        FileExistsError: If this version of a SavedModel exists, or artifacts of another model.
        ImportError: If a format's packages are not installed; the message says how to get them.
        OSError: If the folder cannot be written to, or has no room.
        ValueError: If a name, an option, the images or the model do not fit.
    """
    if console is not None:
        console.file = console.file  # standard output as it is now: below it is held back
    names = [formats] if isinstance(formats, str) else list(formats or ("tflite_int8",))
    if device is not None:
        chosen = devices.get_device(device)
        if formats is not None:
            raise ValueError(f"Name a device or formats. Received: {device!r} and {formats!r}.")
        names, options = list(chosen.formats), {**chosen.options, **options}
    with quiet(unless=()):
        source = _resolve(model, trust_model)
        data = source.data if data is None else data
        fmts = choose_formats(names, has_source=data is not None and not isinstance(data, tuple))
        _validate_options(fmts, options)
        if "keep_float" in options:
            options["keep_float"] = tuple(options["keep_float"])  # as sidecars take them
        if any("target" in fmt.options for fmt in fmts):
            options.setdefault("target", conversion.TARGET)
        if any("runtime" in fmt.options for fmt in fmts):
            options.setdefault("runtime", RUNTIMES[0])
        known = source.labels if labels is None else class_names.read_labels(labels)
        if data is None and calibration is None:
            raise ValueError(
                "Every artifact is verified on real images. Name a source of them with --data, or "
                "images without classes with --calibration."
            )
        files.require_writable(directory)
        with step(console, "Loading the model") as done:
            if not isinstance(model, keras.Model):
                network = source.load(image_size)
            else:
                network = builder.with_image_size(model, image_size) if image_size else model
            class_names.require_classifier(network, of_pixels=True)
            if is_of_pixels(network):
                _require_fit_for_pixels(network, fmts)
            network = _with_file_name(in_float32(network))
            kind = model_input.resolve_input(network, input)
            if any(fmt.name == "saved_model" for fmt in fmts):
                destination.check_version(directory, network.name, version)
            if not replace:
                destination.require_same_origin(directory, network, source.origin, fmts)
            destination.check_space(directory, network)
            for folder in (directory, os.path.join(directory, network.name)):
                files.clear_leftovers(folder)
            done(f"loaded {network.name}")
        crop = source.crop if crop is None else crop
        with step(console, "Reading images") as done:
            subject = _subject(
                network, source, fmts, data, calibration, known, crop, kind, allow_untrained
            )
            done(f"read {subject.sample.composition} to verify on")
        if any("train_data" in fmt.options for fmt in fmts):
            options.update(_training(network, source, data, kind, console))
        results = export_artifacts(
            subject, fmts, directory, options=options, version=version, console=console
        )
        if options.get("target") == tuning.MEASURED:
            with step(console, "Measuring latency") as done:
                results = _timed(results, subject, options.get("fold_preprocessing", False))
                done("measured the latency of each, in turn")
    if any(result.error for result in results):
        raise ArtifactError(results)
    return results


def choose_formats(names, *, has_source=True):
    """The formats of some names.

    Args:
        names: A list of names, or `["all"]` for those whose packages are installed.
        has_source: Whether there is a source of labeled images; without one `all` leaves out the
            formats that train.

    Returns:
        A list of `keras_ghostnet.export.formats.Format`.

    Raises:
        ImportError: If a package is missing that one needs.
        ValueError: If there is no such format.
    """
    if names == [ALL]:
        return [
            fmt
            for fmt in FORMATS
            if not missing_packages(fmt) and (has_source or "train_data" not in fmt.options)
        ]
    fmts = [get_format(name) for name in dict.fromkeys(names)]
    for fmt in fmts:
        require_packages(fmt)
        if "train_data" in fmt.options and not has_source:
            raise ValueError(
                f"{fmt.name} needs labeled training images. Name a source of them with --data."
            )
    return fmts


def _with_file_name(network):
    """The network under a name that can be a file's, and a served model's."""
    name = files.file_name(network.name)
    if name == network.name:
        return network
    return keras.Model(network.inputs[0], network.outputs[0], name=name)


def _resolve(model, trust_model):
    """What is known of a model before it is loaded."""
    if isinstance(model, keras.Model):
        return model_reference.ModelReference("")
    return model_reference.resolve_model(model, trust_model)


def _validate_options(fmts, options):
    """Refuses options that no format takes, values that there are none of, and contradictions."""
    if options.get("target", tuning.MEASURED) != tuning.MEASURED:
        lowering.get_lowering(options["target"], "float32")
    if options.get("runtime", RUNTIMES[0]) not in RUNTIMES:
        raise ValueError(
            f"ONNX files are for {' or '.join(RUNTIMES)}. Received: runtime={options['runtime']!r}."
        )
    if options.get("vendor") is not None:
        litert.read_files(options["vendor"])
    taken = {name for fmt in fmts for name in fmt.options}
    for name in options:
        if name not in taken:
            raise ValueError(
                f"None of the formats {', '.join(fmt.name for fmt in fmts)} takes "
                f"--{name.replace('_', '-')}."
            )
    if any({"io", "fold_preprocessing"} <= set(fmt.options) for fmt in fmts):
        integer = conversion.integer_type(
            options.get("io"), options.get("fold_preprocessing", False)
        )
        if options.get("keep_float"):
            conversion.require_keepable(integer)


def _subject(network, source, fmts, data, calibration, labels, crop, kind, allow_untrained):
    """The model with its images, after a look at all of them."""
    size = network.input_shape[1:3]
    calibrated = any(fmt.is_calibrated for fmt in fmts)
    ranges = None if calibration is None else images.from_files(calibration, size, crop=crop)
    if data is None:
        ranges, held_out = images.split_in_halves(ranges)
    elif isinstance(data, tuple):
        held_out = images.from_arrays(*data, size, network.output_shape[1:-1])
        _require_label_range(network, held_out)
        if calibrated and ranges is None:
            ranges, held_out = images.split_in_halves(held_out)
    else:
        held_out, drawn = samples.draw(
            data, size, crop=crop, seed=source.seed, is_calibrated=calibrated and ranges is None
        )
        require_same_classes(network, held_out, source)
        labels = labels or held_out.class_names
        ranges = drawn or ranges
    if calibrated:
        samples.require_enough(ranges)
        if not allow_untrained:
            seen = held_out.held_out if ranges.labels is None else ranges
            samples.require_trained(network, seen, kind)
    labels = class_names.labels_for(network, labels)
    return Subject(network, labels, crop, held_out, ranges, source.origin, kind)


def _timed(results, subject, folds):
    """The results of an export with the time that each artifact takes for an image."""
    functions = {}
    for result in results:
        if result.error is None:
            fmt = get_format(result.format)
            is_folded = folds and "fold_preprocessing" in fmt.options
            (image, *_) = subject.sample.prepared(PIXELS if is_folded else subject.input)
            functions[fmt.name] = load(result.path, fmt).single(image)
    if not functions:
        return results
    *_, times = run.rounds(functions)
    return [
        dataclasses.replace(result, milliseconds=float(np.median(times[result.format])))
        if result.format in times
        else result
        for result in results
    ]


def _require_fit_for_pixels(network, fmts):
    """Refuses what a classifier of pixels cannot be exported to."""
    for fmt in fmts:
        if fmt.name in OF_IMAGES:
            raise ValueError(
                f"{fmt.name} is for models of one class an image. {network.name} outputs maps, "
                f"{network.output_shape[1:]}: choose another format."
            )


def _require_label_range(network, found):
    """Refuses labels in memory that are none of the model's classes."""
    classes, labels = count_classes(network), found.labels
    ignored = ""
    if is_of_pixels(network):
        labels, ignored = labels[labels != IGNORED], f", or {IGNORED} for none"
    if labels.min(initial=0) < 0 or labels.max(initial=0) >= classes:
        raise ValueError(
            f"{network.name} has {classes} classes: labels must be 0 to {classes - 1}{ignored}. "
            f"Found {labels.min()} to {labels.max()}."
        )


def _training(network, source, data, kind, console):
    """What quantization-aware training takes: a file that it made before, or images."""
    require_exclusive_classes(network, "Training with rounding (tflite_int8_qat)")
    from keras_ghostnet.export.quantization.run import Epochs, find_trained_file, open_training

    trained = find_trained_file(source.text, network) if source.text else None
    if trained is not None:
        with step(console) as done:
            done(f"took {trained}, which was trained before")
        return {"trained": str(trained)}
    pipeline = open_training(data, network.input_shape[1:3], source.recipe, kind)
    return {"train_data": Epochs(pipeline), "console": console}
