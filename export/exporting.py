"""From what a user names to verified artifacts: all that can be wrong is told before long work."""

from keras_ghostnet import model_reference
from keras_ghostnet.console import step
from keras_ghostnet.export import class_names, destination, formats, images, lowering
from keras_ghostnet.export.artifacts import Subject, export_artifacts
from keras_ghostnet.export.tflite import conversion, tuning

ALL = "all"


def export(
    model,
    names,
    out,
    *,
    data=None,
    calibration=None,
    labels=None,
    version=None,
    allow_untrained=False,
    options=None,
    console,
):
    """Exports a model to formats, verifies every artifact, and describes it in a sidecar.

    Args:
        model: A run's folder (its best model), a `.keras` file, or a name of `list_models()`,
            which comes with its ImageNet weights.
        names: The formats' names, a list; `["all"]` takes those that can be made here.
        out: The folder for the artifacts.
        data: Labelled images, as `keras_ghostnet.training.data.open_source` takes them:
            calibration from the training part, verification on the held-out part. None takes
            those that the run was trained on.
        calibration: A folder of images without classes, or a `.npy` file of pixels, for
            calibration; for verification too, another half, if there are no labelled ones.
        labels: A file of the classes' names (`class_names.read_labels`); None takes the run's.
        version: Of a SavedModel, a number; None takes the next one.
        allow_untrained: Whether an untrained model may become int8.
        options: A dictionary of options of the formats, such as `io` or `fold_preprocessing`.
        console: A `rich.console.Console` for progress.

    Returns:
        A list of `keras_ghostnet.export.artifacts.Result`, one a format.

    Raises:
        FileNotFoundError: If the model or the images are not there.
        FileExistsError: If there is this version of a SavedModel.
        ImportError: If a format needs what is not installed; the message says how to get it.
        OSError: If the folder cannot be written to, or has no room.
        ValueError: If a name, an option, the images or the model do not fit.
    """
    source, options = model_reference.find(model), dict(options or {})
    data = data or source.data
    fmts = choose(names, has_labels=data is not None)
    _check_options(fmts, options)
    if any("target" in fmt.options for fmt in fmts):
        options.setdefault("target", conversion.TARGET)
    known = source.labels if labels is None else class_names.read_labels(labels)
    if data is None and calibration is None:
        raise ValueError(
            "Every artifact is verified on real images. Name a source of them with --data, or "
            "images without classes with --calibration."
        )
    destination.check_writable(out)
    with step(console, "Loading the model") as done:
        network = source.load()
        class_names.check(network)
        if any(fmt.name == "saved_model" for fmt in fmts):
            destination.check_version(out, network.name, version)
        destination.check_space(out, network)
        done(f"loaded {network.name}")
    subject = _subject(network, source, data, calibration, known, fmts, allow_untrained, console)
    if any("train_data" in fmt.options for fmt in fmts):
        options.update(_training(network, source, data, console))
    return export_artifacts(subject, fmts, out, options=options, version=version, console=console)


def choose(names, *, has_labels=True):
    """The formats of some names.

    Args:
        names: A list of names, or `["all"]` for those that can be made here.
        has_labels: Whether there are labelled images; without them `all` leaves training out.

    Raises:
        ImportError: If a package is missing that one needs.
        ValueError: If there is no such format.
    """
    if list(names) == [ALL]:
        return [
            fmt
            for fmt in formats.FORMATS
            if not formats.missing(fmt) and (has_labels or "train_data" not in fmt.options)
        ]
    fmts = [formats.find(name) for name in dict.fromkeys(names)]
    for fmt in fmts:
        formats.require(fmt)
        if "train_data" in fmt.options and not has_labels:
            raise ValueError(f"{fmt.name} needs labelled training images. Name them with --data.")
    return fmts


def _check_options(fmts, options):
    """Refuses options that no format takes, and a target that there is none of."""
    if options.get("target", tuning.MEASURED) != tuning.MEASURED:
        lowering.find(options["target"], "float32")
    taken = {name for fmt in fmts for name in fmt.options}
    for name in options:
        if name not in taken:
            raise ValueError(
                f"None of the formats {', '.join(fmt.name for fmt in fmts)} takes --{name}."
            )


def _subject(network, source, data, calibration, labels, fmts, allow_untrained, console):
    """The model with its images, all of which are looked at."""
    size, crop = network.input_shape[1:3], source.crop
    calibrated = any(fmt.is_calibrated for fmt in fmts)
    settings = dict(crop=crop, seed=source.seed)
    with step(console, "Reading images") as done:
        ranges = held_out = None
        if calibration is not None:
            ranges = images.unlabelled(calibration, size, crop=crop)
        if data is not None:
            held_out = images.from_source(data, "val", size, count=images.HELD_OUT, **settings)
            _check_classes(network, source, held_out)
            labels = labels or held_out.class_names
        else:
            ranges, held_out = images.halves(ranges)
        if calibrated and ranges is None:
            ranges = images.from_source(data, "train", size, count=images.CALIBRATION, **settings)
        if calibrated:
            images.check_calibration(ranges)
            if not allow_untrained:
                images.check_trained(network, held_out if ranges.labels is None else ranges)
        done(f"read {len(held_out.pixels)} images to verify on")
    return Subject(network, class_names.labels_for(network, labels), crop, held_out, ranges)


def _check_classes(network, source, found):
    names = found.class_names
    if network.output_shape[-1] != len(names):
        raise ValueError(
            f"{network.name} has {network.output_shape[-1]} classes; {found.name} has {len(names)}."
        )
    if source.recipe and source.labels != names:
        raise ValueError(f"The run was trained on other classes than those of {found.name}.")


def _training(network, source, data, console):
    """What quantization-aware training takes: a file that it made before, or images."""
    from keras_ghostnet.export import tflite_qat
    from keras_ghostnet.export.training_data import Epochs, open_training

    trained = tflite_qat.find(source.text)
    if trained is not None:
        console.print(f"Taking {trained}, which was trained before", soft_wrap=True)
        return {"trained": str(trained)}
    pipeline = open_training(data, network.input_shape[1:3], source.recipe)
    return {"train_data": Epochs(pipeline), "console": console}
