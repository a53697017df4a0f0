"""Quantization-aware training of a run's model, whose file later exports find again."""

import contextlib
import dataclasses
import datetime
import os
import pathlib
import tempfile
from typing import TYPE_CHECKING

import keras

from keras_ghostnet import environment, files, model_input, model_reference, stores
from keras_ghostnet.console import step
from keras_ghostnet.defaults import keras_defaults
from keras_ghostnet.export import (
    class_names,
    formats,
    samples,
    sidecar,
    tflite,
    verification,
)
from keras_ghostnet.export.graph import deploy, for_tracing
from keras_ghostnet.export.quantization import arguments
from keras_ghostnet.export.quantization.quantize_aware import quantize_aware
from keras_ghostnet.precision import in_float32
from keras_ghostnet.quiet import quiet
from keras_ghostnet.training import predictions
from keras_ghostnet.training.data import (
    Augmentation,
    Pipeline,
    open_source,
    require_same_classes,
)
from keras_ghostnet.training.heads import output_activation
from keras_ghostnet.training.settings import (
    Count,
    Fraction,
    Pixels,
    Positive,
    Seed,
    within_ranges,
)

if TYPE_CHECKING:
    from rich.console import Console

FORMAT = "tflite_int8_qat"
FILE = "model_int8_qat.tflite"  # in a run's folder

Path = str | os.PathLike[str]


@dataclasses.dataclass(frozen=True)
class Comparison:
    """How one form of a network does on the held-out images.

    Attributes:
        name: `"float"`, `"int8 PTQ"` or `"int8 QAT"`.
        accuracy: Top-1, in [0, 1]; of a classifier of pixels, theirs.
        agreement: The fraction of the images, or pixels, for which it chooses the float model's
            class.
        rms_error, max_error: Of its outputs, in standard deviations of the float model's.
        bytes: The file's size; of the float model, that of its weights.
        images: The number of images.
        mean_iou: Of a classifier of pixels, as `Verification`'s; else None.
    """

    name: str
    accuracy: float
    agreement: float
    rms_error: float
    max_error: float
    bytes: int
    images: int
    mean_iou: float | None = None


@within_ranges
@keras_defaults()
def quantize_run(
    run: Path,
    data: Path,
    out: Path | None = None,
    *,
    epochs: Count = 3,
    steps: Count | None = None,
    batch_size: Count = 32,
    learning_rate: Positive = 1e-4,
    distillation: Fraction = 1.0,
    io: str = "int8",
    image_size: Pixels | None = None,
    input: str | None = None,
    seed: Seed | None = None,
    trust_model: bool = False,
    console: "Console | None" = None,
) -> tuple[pathlib.Path | str, list[Comparison]]:
    """Trains a run's model with int8 rounding in it, and measures what quantization costs.

    Beside the TFLite file a JSON file says which model it was trained from.

    Args:
        run: A run's folder (its best model), or a `.keras` file in one or anywhere, here or in a
            store.
        data: As `keras_ghostnet.training.data.open_source`; the training split trains, augmented
            as in the run, and the held-out split compares: the images, and the figures, are those
            of `keras_ghostnet.export.export`.
        out: The file to write, here or in a store; None takes `model_int8_qat.tflite` in the
            model's folder.
        epochs, steps, learning_rate, distillation, io: As `quantize_aware`.
        batch_size: Images at a time.
        image_size, input: As `keras_ghostnet.export.export`.
        seed: Of the split, for a source without splits; None takes the run's, or 0.
        trust_model: Whether the model's file may run code, as
            `keras_ghostnet.model_file.load_model`.
        console: Shows progress; None prints nothing.

    Returns:
        The path of the file, or its URL, and a `Comparison` of the float model, int8 after
        training (PTQ) and quantization-aware training (QAT).

    Raises:
        FileNotFoundError: If there is no such model or source.
        ImportError, ValueError, FloatingPointError: As `quantize_aware`; and if the classes of
            model and source differ.
    """
    if console is not None:
        console.file = console.file  # standard output as it is now: below it is held back
    with quiet(unless=()), contextlib.ExitStack() as stack:
        reference = model_reference.resolve_model(run, trust_model)
        place = out or _place(run)
        path = stack.enter_context(stores.writable_file(place))
        files.require_place(path)
        model = reference.load(image_size)
        class_names.require_classifier(model, of_pixels=True)
        model = in_float32(model)
        kind = model_input.resolve_input(model, input)
        arguments.require_trainable(model)
        seed = reference.seed if seed is None else seed
        training = open_training(
            data, model.input_shape[1:3], {**reference.recipe, "seed": seed}, kind
        )
        require_same_classes(model, training.source, reference)
        sample, calibration = samples.draw(
            data, model.input_shape[1:3], crop=reference.crop, seed=seed, is_calibrated=True
        )
        require_same_classes(model, sample, reference)
        with training.explained():
            quantized = quantize_aware(
                model,
                Epochs(training, batch_size),
                epochs=epochs,
                steps=steps,
                learning_rate=learning_rate,
                distillation=distillation,
                io=io,
                console=console,
            )
        _save(quantized, path, model, io)
        with step(console, "Comparing on the held-out images") as done:
            comparisons = _compare(model, kind, path, calibration, sample.held_out)
            done(f"compared on {sample.held_out.composition}")
    return str(place) if stores.is_remote(place) else path, comparisons


def find_trained_file(run: Path, model: keras.Model) -> pathlib.Path | None:
    """The file that `quantize_run` trained from just this model, in a run's folder.

    Args:
        run: As `quantize_run`.
        model: The run's model, loaded.

    Returns:
        The path; None if there is none, it was trained from other weights, or it was changed.
    """
    try:
        path = stores.local(_place(run), [sidecar.path_of(FILE).name])
    except FileNotFoundError:  # in a store
        return None
    beside = sidecar.path_of(path)
    if not (path.is_file() and beside.is_file()):
        return None
    try:
        content = sidecar.read(beside)
    except ValueError:  # it is trained again
        return None
    is_this = content["source"]["sha256"] == sidecar.model_hash(model)
    return path if is_this and content["sha256"] == sidecar.artifact_hash(path) else None


class Epochs:
    """Batches of a pipeline, those of another epoch each time.

    Args:
        pipeline: A `keras_ghostnet.training.data.Pipeline` for training.
        batch_size: Images at a time.
    """

    def __init__(self, pipeline, batch_size=32):
        self.pipeline, self.batch_size, self.epoch = pipeline, batch_size, 0

    def __len__(self):
        return self.pipeline.steps_per_epoch(self.batch_size)

    def __iter__(self):
        self.epoch += 1
        return iter(self.pipeline.batches(self.epoch, global_batch=self.batch_size))


def open_training(data, size, recipe, kind=model_input.NORMALIZED):
    """The training images of a source, augmented as in a run.

    Args:
        data: As `keras_ghostnet.training.data.open_source`.
        size: `(height, width)` in pixels.
        recipe: The run's settings, a dictionary; without `augmentation` the pipeline's defaults.
        kind: What the model takes, of `keras_ghostnet.model_input.INPUTS`.

    Returns:
        A `keras_ghostnet.training.data.Pipeline`.

    Raises:
        FileNotFoundError, ValueError: As `open_source`.
    """
    seed = recipe.get("seed", 0)
    settings = {
        key: tuple(value) if isinstance(value, list) else value
        for key, value in recipe.get("augmentation", {}).items()
    }
    return Pipeline(
        open_source(data, "train", seed=seed),
        image_size=tuple(size),
        training=True,
        augmentation=Augmentation(**settings),
        seed=seed,
        input=kind,
    )


def _place(run):
    """Where the file is if nothing else is said: in the model's folder, here or in a store."""
    if stores.is_remote(run):
        model = model_reference.ModelReference(str(run)).origin
        return stores.join(model.rpartition("/")[0], FILE)
    path = pathlib.Path(run)
    return (path if path.is_dir() else path.parent) / FILE


def _save(quantized, path, model, io):
    """Writes the file, and what it was trained from beside it."""
    quantized.save(path)
    content = {
        "format": FORMAT,
        "source": {"model": model.name, "sha256": sidecar.model_hash(model)},
        "options": {"io": io},
        "versions": environment.versions("python", *sidecar.PACKAGES),
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }
    with files.replacing(sidecar.path_of(path)) as partial:
        sidecar.write(path, content, partial)


def _compare(model, kind, path, calibration, held_out):
    inputs = held_out.prepared(kind)
    reference = predictions.run(model, inputs)
    forms = {"float": ("tflite_fp32", reference, 4 * model.count_params())}
    with tempfile.TemporaryDirectory() as folder:
        plain = pathlib.Path(folder) / "ptq.tflite"
        ranges = calibration.prepared(kind)
        tflite.export(for_tracing(deploy(model)), plain, "int8", ranges, input=kind)
        forms["int8 PTQ"] = ("tflite_int8", tflite.load(plain)(inputs), files.size(plain))
    forms["int8 QAT"] = (FORMAT, tflite.load(path)(inputs), files.size(path))
    comparisons = []
    activation = output_activation(model)
    for name, (fmt, outputs, size) in forms.items():
        found = verification.compare(
            outputs, reference, held_out.labels, formats.get_format(fmt), activation
        )
        comparisons.append(
            Comparison(
                name,
                accuracy=found.accuracy,
                agreement=found.agreement,
                rms_error=float((((outputs - reference) / reference.std()) ** 2).mean() ** 0.5),
                max_error=found.max_error,
                bytes=size,
                images=len(reference),
                mean_iou=found.mean_iou,
            )
        )
    return comparisons
