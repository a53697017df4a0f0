"""Writes artifacts, verifies them, and only then moves them into place."""

import contextlib
import dataclasses
import datetime
import functools
import os
import pathlib

import keras

from keras_ghostnet import environment, files
from keras_ghostnet.console import step
from keras_ghostnet.export import (
    contents,
    destination,
    formats,
    preprocessing,
    sandbox,
    sidecar,
    verification,
)
from keras_ghostnet.export.graph import deploy, for_tracing
from keras_ghostnet.export.graph.kept import require_layers
from keras_ghostnet.export.images import Images
from keras_ghostnet.export.tflite import find_arithmetic
from keras_ghostnet.model_input import NORMALIZED, PIXELS
from keras_ghostnet.training import predictions
from keras_ghostnet.training.heads import is_multi_label, output_activation, outputs_are


@dataclasses.dataclass(frozen=True)
class ArtifactResult:
    """The outcome of exporting or verifying one format.

    Attributes:
        format: The format's name; the file's of one whose format is not known.
        path: The artifact, a URL of one in a store; None if there is none.
        verification: How its outputs compare with the Keras model's; None if it was not run.
        error: Why it failed, or is not proven; None if it passed.
        images: What it was verified on, such as "40 held-out images of photos/val".
        milliseconds: The median time of one image on this machine, in one thread, timed in turn
            with the other formats; None where nothing was timed.
        bytes: The size of an artifact in a store; None of one that is here.
    """

    format: str
    path: pathlib.Path | str | None
    verification: verification.Verification | None
    error: str | None
    images: str = ""
    milliseconds: float | None = None
    bytes: int | None = None

    @property
    def outcome(self) -> str:
        """`"passed"`; `"failed"`; `"not proven"` of a file that is there and was not run."""
        if self.error is None:
            return "passed"
        return "failed" if self.verification or self.path is None else "not proven"


class ArtifactError(ValueError):
    """One or more artifacts could not be exported, or failed their verification.

    Attributes:
        results: An `ArtifactResult` for every format, also for those that succeeded.
    """

    def __init__(self, results: list[ArtifactResult]) -> None:
        failed = [f"{result.format}: {result.error}" for result in results if result.error]
        super().__init__("\n".join(failed))
        self.results = results


@dataclasses.dataclass(frozen=True)
class Subject:
    """A model with the images that its artifacts are calibrated and verified with.

    Attributes:
        model: The Keras model.
        labels: The classes' names in the order of the outputs.
        crop: The fraction of a resized image's shorter side that evaluation keeps.
        sample: `keras_ghostnet.export.images.Images` to verify on: held out, and where those are
            few, training images that did not calibrate.
        calibration: `Images` for the ranges of int8; None if no format takes them.
        origin: Where the model is from, `ModelReference.origin`; None if that is not known.
        input: What the model takes, of `keras_ghostnet.model_input.INPUTS`.
    """

    model: keras.Model
    labels: tuple[str, ...]
    crop: float
    sample: Images
    calibration: Images | None = None
    origin: str | None = None
    input: str = NORMALIZED

    def reference(self):
        """The model's outputs for the images to verify on, `(n, classes)`."""
        return predictions.run(self.model, self.sample.prepared(self.input))

    def sample_for(self, fmt):
        """What a format is verified on, the first ones of `sample`: none that trained it."""
        return self.sample.held_out if "train_data" in fmt.options else self.sample


def export_artifacts(subject, fmts, out, *, options=None, version=None, console):
    """Exports a model to several formats, one after the other, and verifies each.

    An artifact that fails never appears, and leaves an earlier one as it was; the other formats
    go on. With the first artifact the model itself is kept beside them, as `NAME.keras`. A model
    that artifacts of the folder were made from stays as long as there are such.

    Args:
        subject: A `Subject`.
        fmts: A list of `Format`s.
        out: The folder.
        options: A dictionary of options; every format gets those that it takes.
        version: Of a SavedModel; None takes the next one.
        console: A `rich.console.Console` for progress.

    Returns:
        A list of `ArtifactResult`, one per format.
    """
    out, options = pathlib.Path(out), options or {}
    with step(console, "Preparing the deployment graph") as done:
        deployed = for_tracing(deploy(subject.model))
        reference = subject.reference()
        require_layers(deployed, options.get("keep_float", ()))
        done(f"prepared {subject.model.name}: {len(deployed.layers)} layers")
    exporter, results = _Exporter(subject, deployed, reference, out, version), []
    kept = destination.model_files(out)
    for fmt in fmts:
        chosen = {name: value for name, value in options.items() if name in fmt.options}
        with step(console, f"Exporting {fmt.name}") as done:
            try:
                path, result = exporter.export(fmt, chosen)
            except Exception as error:  # whatever a converter raises: the other formats go on
                failed = getattr(error, "result", None)
                results.append(ArtifactResult(fmt.name, None, failed, message(error)))
                done(f"{fmt.name} failed")
            else:
                used = subject.sample_for(fmt).described + formats.ran_in(path, fmt)
                results.append(ArtifactResult(fmt.name, path, result, None, used))
                done(f"exported and verified {fmt.name}")
    for path in kept - destination.model_files(out):
        files.remove(path)
    return results


def verify_artifact(path, fmt, subject, reference, folded, runner=None):
    """Verifies an artifact in the runtime that its users run it in.

    Args:
        path: The artifact.
        fmt: Its `Format`.
        subject: The `Subject`.
        reference: What `subject.reference()` returned.
        folded: Whether the artifact takes raw pixels whatever the model takes.
        runner: What runs the artifact, such as a `keras_ghostnet.export.sandbox.Sandbox`; None
            loads it into this process, as only an artifact may that was made here.

    Returns:
        A `Verification`.

    Raises:
        VerificationError: If its outputs differ from the model's by more than the format allows.
    """
    sample = subject.sample_for(fmt)
    images = sample.prepared(PIXELS if folded else subject.input)
    outputs = (runner or _runner(path, fmt))(images)
    result = verification.verify_outputs(
        outputs,
        reference[: len(outputs)],
        sample.labels,
        fmt,
        sample.composition,
        output_activation(subject.model),
    )
    if (fmt.module, fmt.dtype) != ("tflite", "float16"):
        return result
    run = _run_apart if runner else _run_here
    arithmetic = find_arithmetic(path, images[:1], outputs[:1], functools.partial(run, fmt))
    return dataclasses.replace(result, arithmetic=arithmetic)


def _run_here(fmt, path, images):
    return formats.load(path, fmt)(images)


def _run_apart(fmt, path, images):
    with contextlib.closing(sandbox.open_runner(path, fmt, images.shape[1:3])) as runner:
        return runner(images)


def _runner(path, fmt):
    if fmt.name != "saved_model":
        return formats.load(path, fmt)
    from keras_ghostnet.export.saved_model.session import ServingSession

    return ServingSession(path)


def describe(subject, fmt, content, folded):
    """What can be said of an artifact of a model: what its sidecar says, and has to say.

    Args:
        subject: The `Subject`.
        fmt: The `Format`.
        content: What the artifact holds, `keras_ghostnet.export.contents.describe`.
        folded: Whether it takes raw pixels whatever the model takes.

    Returns:
        A dictionary of fields of a sidecar.
    """
    model, sample = subject.model, subject.sample_for(fmt)
    return {
        "format": fmt.name,
        "source": {
            "model": model.name,
            "origin": subject.origin,
            "input": subject.input,
            "parameters": model.count_params(),
        },
        **contents.tensors(content),
        "preprocessing": preprocessing.describe(model, subject.crop, folded, subject.input),
        "outputs_are": outputs_are(model),
        "labels_are": "independent" if is_multi_label(model) else "exclusive",
        "labels": list(subject.labels),
        "verification": {**sample.describe(), "origin": sample.origin},
    }


class _Exporter:
    """Writes and verifies one artifact after the other."""

    def __init__(self, subject, deployed, reference, out, version):
        self.subject, self.deployed, self.reference = subject, deployed, reference
        self.out, self.version = out, version

    def export(self, fmt, options):
        """Path and `Verification` of a format's artifact, which is in its place."""
        subject = self.subject
        known = {"labels": subject.labels, "crop": subject.crop, "input": subject.input}
        known["classes"] = subject.calibration.labels if subject.calibration else None
        options = {key: known[key] for key in known if key in fmt.options} | options
        if fmt.name == "saved_model":
            return self._export_version(fmt, options)
        images = subject.calibration
        if fmt.dtype == "float16":  # what half precision does not hold is found with images
            images = images or subject.sample
        path = self.out / f"{self.subject.model.name}{fmt.suffix}"
        # Both are complete before either appears.
        with files.replacing(sidecar.path_of(path)) as beside, files.replacing(path) as partial:
            calibration = images.prepared(self.subject.input) if images else None
            formats.write(self.deployed, fmt, partial, calibration, **options)
            result = self._verify(partial, beside, fmt, options)
        return path, result

    def _export_version(self, fmt, options):
        from keras_ghostnet.export.saved_model import layout

        verified = []

        def verify(partial):
            beside = partial.with_name(f"{partial.name}.sidecar")
            verified.append((self._verify(partial, beside, fmt, options), beside))

        try:
            path = layout.export_version(
                self.deployed, self.out, version=self.version, check=verify, **options
            )
            ((result, beside),) = verified
            os.replace(beside, sidecar.path_of(path))
        finally:
            for _, beside in verified:
                files.remove(beside)
        return path, result

    def _verify(self, path, beside, fmt, options):
        """Verifies an artifact and writes its sidecar, to the path `beside`."""
        subject, folded = self.subject, options.get("fold_preprocessing", False)
        with contextlib.ExitStack() as stack:
            runner = None
            if fmt.module in sandbox.ISOLATED:
                size, name = subject.model.input_shape[1:3], subject.model.name + fmt.suffix
                process = sandbox.take(fmt.module)
                stack.callback(process.close)
                runner = sandbox.Sandbox(path, fmt.module, size, process, name)
            result = verify_artifact(path, fmt, subject, self.reference, folded, runner)
            held = runner.contents if runner else contents.describe(path)
        described = describe(subject, fmt, held, folded)
        content = {
            **described,
            "source": {**described["source"], **self._source},
            "options": {key: options[key] for key in options if _is_option(key, options[key])},
            "calibration": subject.calibration.describe() if fmt.is_calibrated else None,
            "verification": {**_plain(result), **described["verification"]},
            "versions": environment.versions("python", *sidecar.PACKAGES),
            "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        }
        sidecar.write(path, content, beside)
        return result

    @functools.cached_property
    def _source(self):
        """Saves the model that the artifacts are compared with; its file and hash for sidecars."""
        model = self.subject.model
        digest = sidecar.model_hash(model)
        path = self.out / destination.model_file(self.out, model.name, digest)
        with files.replacing(path) as partial:
            model.save(partial)
        return {"file": path.name, "sha256": digest}


def _is_option(name, value):
    """Whether a sidecar tells it as an option: what the model is stands elsewhere in it."""
    known = ("labels", "crop", "input", "classes", "vendor")
    return name not in known and isinstance(value, str | int | float | bool | tuple)


def _plain(result):
    return {
        key: float(f"{value:.6g}") if isinstance(value, float) else value
        for key, value in dataclasses.asdict(result).items()
    }


def message(error):
    """What an exception says: of one that no message of ours is of, its kind and first line."""
    text = str(error).strip() or type(error).__name__
    return (
        text
        if isinstance(error, ValueError | OSError | ImportError)
        else (f"{type(error).__name__}: {text.splitlines()[0]}")
    )
