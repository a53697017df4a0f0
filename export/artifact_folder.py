"""Holds the artifacts of a folder against their model again."""

import os
import pathlib

import keras

from keras_ghostnet import files
from keras_ghostnet.console import step
from keras_ghostnet.export import artifacts, formats, images, sidecar
from keras_ghostnet.export.verification import VerificationError

FAILED = ".failed"


def verify_folder(folder, *, data=None, console):
    """Verifies every artifact that has a sidecar.

    First the files' hashes: an artifact that was changed is not run. One that does not compute
    what its model computes is renamed, with `.failed` at its end.

    Args:
        folder: Where `ghostnet export` put the artifacts and their model.
        data: Labelled images to verify on, as `keras_ghostnet.training.data.open_source` takes
            them; None takes those of the export.
        console: A `rich.console.Console` for progress.

    Returns:
        A list of `keras_ghostnet.export.artifacts.Result`, one an artifact.

    Raises:
        FileNotFoundError: If there are no artifacts, or the model or the images are missing.
        ValueError: If images or model do not fit.
    """
    folder = pathlib.Path(folder)
    found = _sidecars(folder)
    if not found:
        raise FileNotFoundError(
            f"{folder} holds no artifacts with sidecars, as `ghostnet export` makes them."
        )
    subjects, results = {}, []
    for artifact, content in found.items():
        name = content["format"]
        with step(console, f"Verifying {artifact.name}") as done:
            try:
                result = _verify(folder, artifact, content, data, subjects)
                results.append(artifacts.Result(name, artifact, result, None))
                done(f"verified {artifact.relative_to(folder)}")
            except (VerificationError, _Changed) as error:
                result = getattr(error, "result", None)
                results.append(artifacts.Result(name, artifact, result, str(error)))
                done(f"{artifact.relative_to(folder)} failed")
    return results


class _Changed(ValueError):
    """A file is not the one that was exported."""


def _sidecars(folder):
    """Artifacts and the contents of their sidecars; of SavedModels, those of all versions."""
    paths = sorted({*folder.glob("*.json"), *folder.glob("*/*.json")})
    contents = {path.with_name(path.stem): sidecar.read(path) for path in paths}
    return {path: content for path, content in contents.items() if content}


def _verify(folder, artifact, content, data, subjects):
    fmt = formats.find(content["format"])
    if not artifact.exists():
        raise _Changed(f"{artifact} is missing. Export it again.")
    if sidecar.artifact_hash(artifact) != content["sha256"]:
        raise _Changed(
            f"{artifact} is not the file that was exported: its SHA-256 differs from the one in "
            f"{sidecar.path_of(artifact).name}. Export it again."
        )
    subject, reference = _subject(folder, content, data, subjects)
    folded = content["preprocessing"]["normalisation_in_artifact"]
    try:
        return artifacts.check(artifact, fmt, subject, reference, folded)
    except VerificationError as error:
        aside = artifact.with_name(artifact.name + FAILED)
        files.remove(aside)
        os.replace(artifact, aside)
        raise VerificationError(f"{error} It is now called {aside.name}.", error.result) from None


def _subject(folder, content, data, subjects):
    """The model that an artifact was made from with its images, and its outputs; made once."""
    source, origin = content["source"], content["verification"]["origin"]
    key = (source["file"], tuple(sorted(origin.items())))
    if key not in subjects:
        subjects[key] = _load(folder / source["file"], content, data)
    subject, reference, digest = subjects[key]
    if digest != source["sha256"]:
        raise _Changed(
            f"{source['file']} is not the model that the {content['format']} artifact was made "
            "from: its hash differs. Export again."
        )
    return subject, reference


def _load(path, content, data):
    if not path.is_file():
        raise FileNotFoundError(
            f"{path}, the model that the artifacts were made from, is missing. Export again."
        )
    model = keras.models.load_model(path, compile=False)
    size = model.input_shape[1:3]
    held_out = images.reopen(content["verification"]["origin"], size, data=data)
    crop = content["preprocessing"]["crop"]
    subject = artifacts.Subject(model, tuple(content["labels"]), crop, held_out)
    return subject, subject.reference(), sidecar.model_hash(model)
