"""The shortest way through everything: digits, training, export, verification, report.

Nothing is downloaded: the images are the handwritten digits that scikit-learn ships.
"""

import dataclasses
import json
import os
import pathlib
import time

import keras
import numpy as np
from rich.console import Console

from keras_ghostnet import environment, extras, files
from keras_ghostnet.benchmark import latency
from keras_ghostnet.benchmark.report import Artifact, Report, Sample, render, table
from keras_ghostnet.console import step
from keras_ghostnet.defaults import keras_defaults
from keras_ghostnet.export import formats
from keras_ghostnet.export.artifacts import ArtifactError
from keras_ghostnet.export.exporting import export
from keras_ghostnet.model_file import load_model
from keras_ghostnet.quiet import quiet
from keras_ghostnet.training import heads, predictions, recipes, run_folder
from keras_ghostnet.training.data import Pipeline, decoding, to_arrays
from keras_ghostnet.training.run import Run
from keras_ghostnet.training.stopping import Stopped

REPORT = "report.html"
FIGURES = "report.json"
# All that a run directory ever holds.
CONTENTS = {*run_folder.CONTENTS, "exports", REPORT, FIGURES}
PACKAGES = (
    "PIL",
    "ai_edge_litert",
    "jinja2",
    "matplotlib",
    "sklearn",
    "tensorboard",
    "tensorflow_serving",
)
EXTRA = "train,tflite,serving"
SAMPLES = 24  # images in the report
FORMATS = ("saved_model", "tflite_fp32", "tflite_int8")


@keras_defaults()
def quickstart(
    run_dir: str | os.PathLike[str] = "runs/quickstart",
    recipe: recipes.Recipe | None = None,
    data: str | os.PathLike[str] = "digits",
    *,
    console: Console | None = None,
) -> pathlib.Path:
    """Trains GhostNet on handwritten digits, exports it, checks the exports, writes a report.

    The run directory holds `report.html` and its figures in `report.json`, the artifacts in
    `exports/` as `keras_ghostnet.export.export` leaves them, and what a training run leaves
    (`keras_ghostnet.training.run_folder`). It appears when all is done; an earlier one is replaced
    then, and stays as it is if this run fails or is interrupted. If an artifact fails its
    verification, what was made until then, the trained model too, is kept in a folder of that name
    with `.failed` at its end.

    Args:
        run_dir: Where to put it all.
        recipe: A `keras_ghostnet.training.recipes.Recipe`; None takes the one named `digits`.
        data: A source as `keras_ghostnet.training.data.open_source` takes it.
        console: Shows progress and the results; None prints nothing.

    Returns:
        The path of the report.

    Raises:
        ArtifactError: If an artifact does not compute what the Keras model computes.
        ImportError: If a package is missing that training, an export or the report needs.
        FileExistsError: If `run_dir` holds anything but an earlier run.
        OSError: If `run_dir` cannot be made or replaced.
    """
    recipe, run_dir = recipe or recipes.get_recipe("digits"), pathlib.Path(run_dir)
    extras.require(*PACKAGES, purpose="The quickstart", extra=EXTRA)
    _require_place(run_dir)
    _require_run_dir(run_dir)
    failed = run_dir.with_name(f"{run_dir.name}.failed")
    _require_contents(failed)
    console = console or Console(quiet=True)
    console.file = console.file  # standard output as it is now: below it is held back
    start = time.perf_counter()
    with quiet(), files.replacing(run_dir) as work:
        try:
            artifacts = _run(work, run_dir, recipe, data, console)
        except Stopped:  # half of it would be of no use
            raise KeyboardInterrupt from None
        except ArtifactError as error:
            with files.replacing(failed) as kept:
                os.replace(work, kept)
            raise ArtifactError(
                [
                    dataclasses.replace(
                        result, error=f"{result.error} What was made is kept in {failed}."
                    )
                    for result in error.results
                    if result.error
                ]
            ) from error
    console.print(table(artifacts))
    path = run_dir / REPORT
    console.print(f"Report: {path}  ({time.perf_counter() - start:.0f} s in all)", soft_wrap=True)
    console.print(f"Next: ghostnet predict {run_dir} IMAGE", soft_wrap=True)
    return path


@dataclasses.dataclass(frozen=True)
class _Trained:
    """What training leaves to be exported and reported."""

    model: keras.Model
    history: list
    seconds: float
    examples: int  # that it was trained on
    held_out: Pipeline
    images: np.ndarray  # the held-out ones
    indices: np.ndarray  # their numbers in the source
    predictions: predictions.Predictions  # on them


def _run(work, run_dir, recipe, data, console):
    """All steps, into the folder `work`, to be `run_dir`; returns the artifacts of the report."""
    start = time.perf_counter()
    console.print("GhostNet on handwritten digits: two to five minutes on two cores")
    trained = _train(work, recipe, data, console)
    artifacts = _artifacts(work, trained, console)
    with step(console, "Writing the report") as done:
        seconds = time.perf_counter() - start
        _write(_report(recipe, trained, artifacts, seconds, run_dir), work)
        done("wrote the report")
    return artifacts


def _train(work, recipe, data, console):
    start = time.perf_counter()
    with step(console) as done:  # shows its own progress
        run = Run(recipe, data, work, keep=1, console=console)
        run.execute()
        done(f"trained {run.loop.model.name} for {recipe.epochs} epochs")
    with step(console, "Evaluating") as done:
        # The last epoch's, not the best's: the held-out images choose nothing, so that their
        # accuracy is a fair estimate.
        model = load_model(work / run_folder.LAST)
        images, labels, indices = to_arrays(run.held_out)
        predicted = predictions.predict(model, images, labels)
        done(f"recognized {predicted.accuracy:.2%} of the held-out digits, last epoch")
    return _Trained(
        model,
        run.history,
        time.perf_counter() - start,
        run.train.examples,
        run.held_out,
        images,
        indices,
        predicted,
    )


def _artifacts(work, trained, console):
    """Exports, verifies and times; returns a list of `keras_ghostnet.benchmark.report.Artifact`."""
    model, image = trained.model, trained.images[0]
    results = export(work / run_folder.LAST, work / "exports", FORMATS, console=console)
    functions = {"keras": lambda: model.predict_on_batch(image[None])}
    for result in results:
        runner = formats.load(result.path, formats.get_format(result.format))
        functions[result.format] = runner.single(image)
    with step(console, "Measuring latency") as done:
        times = latency.measure_latency(functions)
        done("measured the latency of each")

    def row(name, path, accuracy, agreement, max_error):
        return Artifact(
            name=name,
            file=path.relative_to(work).as_posix(),
            runtime=_runtime(path),
            bytes=files.size(path),
            accuracy=accuracy,
            agreement=agreement,
            max_error=max_error,
            latency=times[name],
        )

    reference = row("keras", work / run_folder.LAST, trained.predictions.accuracy, 1.0, 0.0)
    found = [(result.format, result.path, result.verification) for result in results]
    return [
        reference,
        *(
            row(name, path, verified.accuracy, verified.agreement, verified.max_error)
            for name, path, verified in found
        ),
    ]


def _runtime(path):
    if path.suffix == ".tflite":
        return "LiteRT, 1 thread"
    cores = environment.machine()["cores"]
    return f"TensorFlow, {cores} {'core' if cores == 1 else 'cores'}"


def _report(recipe, trained, artifacts, seconds, run_dir):
    model, predicted = trained.model, trained.predictions
    count, held_out = trained.examples, len(predicted.labels)
    int8 = artifacts[-1]
    return Report(
        title="GhostNet on handwritten digits",
        summary=(
            f"After {trained.seconds:.0f} seconds of training the network recognizes "
            f"{predicted.accuracy:.2%} of {held_out} digits that it has not "
            f"seen. In eight bits it takes {int8.bytes / 1e6:.1f} MB and "
            f"{int8.latency.median:.2f} ms an image, and recognizes {int8.accuracy:.2%}."
        ),
        facts={
            "Network": f"{model.name}, {model.count_params() / 1e6:.2f} M parameters",
            "Input": f"{recipe.image_size} x {recipe.image_size} pixels, enlarged from 8 x 8",
            "Images": f"{count:,} to train with, {held_out} held out",
            "Training": f"{recipe.epochs} epochs in batches of {recipe.batch_size}",
            "Seed": recipe.seed,
            "Time in all": f"{seconds:.0f} s",
            "Try it in the browser": f"ghostnet demo {run_dir}",
        },
        history=trained.history,
        training_note=(
            "Label smoothing of 0.1 keeps the loss above 0.50 even for a perfect network."
        ),
        confusion=predictions.confusion_matrix(predicted),
        class_names=trained.held_out.class_names,
        samples=_samples(trained),
        artifacts=artifacts,
        machine=environment.machine(),
    )


def _samples(trained):
    """All mistakes that fit, then what the network was least sure of."""
    predicted, pipeline = trained.predictions, trained.held_out
    activation = heads.output_activation(trained.model)
    probabilities = heads.to_probabilities(predicted.outputs, activation)
    confidence = keras.ops.convert_to_numpy(probabilities).max(axis=-1)
    right = predicted.classes == predicted.labels
    samples = []
    for number in np.lexsort((confidence, right))[:SAMPLES]:
        encoded, _ = pipeline.source.reader.read(trained.indices[number])
        samples.append(
            Sample(
                image=decoding.decode(encoded)[..., 0],  # the digits are gray
                label=pipeline.class_names[predicted.labels[number]],
                predicted=pipeline.class_names[predicted.classes[number]],
                confidence=float(confidence[number]),
            )
        )
    return samples


def _write(report, work):
    (work / REPORT).write_text(render(report), "utf-8")
    figures = {
        "artifacts": [dataclasses.asdict(artifact) for artifact in report.artifacts],
        "confusion": report.confusion.tolist(),
        **{name: getattr(report, name) for name in ("facts", "class_names", "machine")},
    }
    (work / FIGURES).write_text(json.dumps(figures, indent=2) + "\n", "utf-8")


def _require_run_dir(run_dir):
    """Only a run is replaced: never a folder that holds a user's other files."""
    _require_contents(run_dir)
    if run_dir.is_dir() and any(run_dir.iterdir()) and not (run_dir / FIGURES).exists():
        raise FileExistsError(
            f"{run_dir} holds files that are not of an earlier quickstart: there is no {FIGURES}. "
            "Choose another folder."
        )


def _require_contents(folder):
    if not folder.exists():
        return
    if not folder.is_dir():
        raise FileExistsError(f"{folder} is a file. Choose a folder.")
    foreign = sorted({entry.name for entry in folder.iterdir()} - CONTENTS)
    if foreign:
        raise FileExistsError(
            f"{folder} holds files that are not of an earlier quickstart, such as {foreign[0]}. "
            "Choose another folder."
        )


def _require_place(run_dir):
    """Told now, not after minutes of training."""
    if pathlib.Path.cwd().is_relative_to(run_dir.resolve()):
        raise OSError(
            f"{run_dir} is or holds the current folder, which cannot be replaced by a run. "
            "Choose a folder in it, e.g. runs/quickstart."
        )
    parent = next(folder for folder in run_dir.absolute().parents if folder.exists())
    if not parent.is_dir():
        raise NotADirectoryError(
            f"{run_dir} cannot be made: {parent} is a file. Choose another folder."
        )
    if not os.access(parent, os.W_OK | os.X_OK):
        raise PermissionError(
            f"{run_dir} cannot be made: {parent} may not be written to. Choose another folder."
        )
