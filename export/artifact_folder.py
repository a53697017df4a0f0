"""Verifies the artifacts of a folder again."""

import functools
import os
import pathlib

import numpy as np
from rich.console import Console

from keras_ghostnet import files
from keras_ghostnet.console import step
from keras_ghostnet.defaults import keras_defaults
from keras_ghostnet.export import formats, samples, sidecar
from keras_ghostnet.export.artifacts import (
    ArtifactError,
    ArtifactResult,
    Subject,
    verify_artifact,
)
from keras_ghostnet.export.verification import VerificationError
from keras_ghostnet.model_file import load_model
from keras_ghostnet.model_input import NORMALIZED
from keras_ghostnet.quiet import quiet

FAILED = ".failed"


@keras_defaults()
def verify(
    directory: str | os.PathLike[str],
    *,
    data: str | os.PathLike[str] | tuple[np.ndarray, np.ndarray] | None = None,
    trust_model: bool = False,
    console: Console | None = None,
) -> list[ArtifactResult]:
    """Verifies every artifact of a folder again, each in its own runtime.

    First the files' hashes: an artifact that was changed is not run. One whose outputs differ from
    its model's by more than the format allows is renamed, with `.failed` at its end.

    Args:
        directory: Where `export` put the artifacts and their model.
        data: Labeled images to verify on, as `export` takes them; None takes those of the export.
        trust_model: Whether the model's file may run code, as
            `keras_ghostnet.model_file.load_model`.
        console: Shows progress; None prints nothing.

    Returns:
        One `ArtifactResult` for every artifact.

    Raises:
        ArtifactError: If artifacts fail; it has the results of all.
        FileNotFoundError: If there are no artifacts, or the model or the images are missing.
        ValueError: If images or model do not fit.
    """
    if console is not None:
        console.file = console.file  # standard output as it is now: below it is held back
    with quiet(unless=()):
        load = functools.partial(_load, data=data, trust_model=trust_model)
        results = _verify_all(pathlib.Path(directory), load, console)
    if any(result.error for result in results):
        raise ArtifactError(results)
    return results


def _verify_all(folder, load, console):
    found = sidecar.find_artifacts(folder)
    if not found:
        raise FileNotFoundError(
            f"{folder} holds no artifacts with sidecars, as `ghostnet export` makes them."
        )
    subjects, results = {}, []
    for artifact, content in found.items():
        name = content["format"]
        with step(console, f"Verifying {artifact.name}") as done:
            try:
                result = _verify(folder, artifact, content, load, subjects)
                results.append(ArtifactResult(name, artifact, result, None))
                done(f"verified {artifact.relative_to(folder)}")
            except (VerificationError, _Changed) as error:
                result = getattr(error, "result", None)
                results.append(ArtifactResult(name, artifact, result, str(error)))
                done(f"{artifact.relative_to(folder)} failed")
    return results


class _Changed(ValueError):
    """A file is not the one that was exported."""


def _verify(folder, artifact, content, load, subjects):
    fmt = formats.get_format(content["format"])
    if not artifact.exists():
        raise _Changed(f"{artifact} is missing. Export it again.")
    if sidecar.artifact_hash(artifact) != content["sha256"]:
        raise _Changed(
            f"{artifact} is not the file that was exported: its SHA-256 differs from the one in "
            f"{sidecar.path_of(artifact).name}. Export it again."
        )
    subject, reference = _subject(folder, content, load, subjects)
    folded = content["options"].get("fold_preprocessing", False)
    try:
        return verify_artifact(artifact, fmt, subject, reference, folded)
    except VerificationError as error:
        aside = artifact.with_name(artifact.name + FAILED)
        files.remove(aside)
        os.replace(artifact, aside)
        raise VerificationError(f"{error} It is now called {aside.name}.", error.result) from None


def _subject(folder, content, load, subjects):
    """The model that an artifact was made from with its images, and its outputs; made once."""
    source, origin = content["source"], content["verification"]["origin"]
    key = (source["file"], tuple(sorted(origin.items())))
    if key not in subjects:
        subjects[key] = load(folder / source["file"], content)
    subject, reference, digest = subjects[key]
    if digest != source["sha256"]:
        raise _Changed(
            f"{source['file']} is not the model that the {content['format']} artifact was made "
            "from: its hash differs. Export again."
        )
    return subject, reference


def _load(path, content, data, trust_model):
    if not path.is_file():
        raise FileNotFoundError(
            f"{path}, the model that the artifacts were made from, is missing. Export again."
        )
    model = load_model(path, trust_model)
    size = model.input_shape[1:3]
    crop = content["preprocessing"]["crop"]
    sample = samples.reopen(content["verification"]["origin"], size, crop=crop, data=data)
    labels, kind = tuple(content["labels"]), content["source"].get("input", NORMALIZED)
    subject = Subject(model, labels, crop, sample, input=kind)
    return subject, subject.reference(), sidecar.model_hash(model)
