"""Verifies the artifacts of a folder again: all that is in it is proven, or named as not proven.

The folder may be a stranger's: what its sidecars say is found out again, and what is to be run is
run in a process of its own.
"""

import contextlib
import math
import os

import numpy as np
from rich.console import Console

from keras_ghostnet import files, stores
from keras_ghostnet.console import step
from keras_ghostnet.defaults import keras_defaults
from keras_ghostnet.export import (
    artifacts,
    claims,
    formats,
    samples,
    sandbox,
    sidecar,
    store_results,
)
from keras_ghostnet.export.artifacts import ArtifactError, ArtifactResult, Subject
from keras_ghostnet.export.claims import Unproven
from keras_ghostnet.export.quantization.run import FILE
from keras_ghostnet.export.verification import VerificationError
from keras_ghostnet.model_file import load_model
from keras_ghostnet.model_input import NORMALIZED
from keras_ghostnet.model_reference import CONFIG
from keras_ghostnet.quiet import quiet
from keras_ghostnet.training.run_folder import CONTENTS

FAILED, SAVED_MODEL = ".failed", "saved_model"
# What is no artifact: settings of TF Serving, droppings of file managers, and what a run leaves.
OTHERS = {"batching.config", "models.config", ".DS_Store", "Thumbs.db"}
OF_RUNS = {*CONTENTS, FILE, f"{FILE}{sidecar.SUFFIX}", "exports"}
# Of the weights' bytes, what an artifact has at most, and beside them.
FACTOR, BESIDE = 8, 64 << 20


@keras_defaults()
def verify(
    directory: str | os.PathLike[str],
    *,
    data: str | os.PathLike[str] | tuple[np.ndarray, np.ndarray] | None = None,
    trust_model: bool = False,
    console: Console | None = None,
) -> list[ArtifactResult]:
    """Verifies every artifact of a folder again, each in its own runtime.

    The folder may be anybody's. What a sidecar says is compared with the artifact, the model beside
    it and the images; then the artifact is run, in a process of its own with limits of time and
    memory. One whose outputs differ from its model's by more than the format allows is renamed,
    with `.failed` at its end. Whatever else the folder holds is not proven.

    Args:
        directory: Where `export` put the artifacts and their model; a folder in a store is
            downloaded, and stays as it is.
        data: Labeled images to verify on, as `export` takes them; None takes those of the export.
        trust_model: Whether the model's file may run code, as
            `keras_ghostnet.model_file.load_model`.
        console: Shows progress; None prints nothing.

    Returns:
        One `ArtifactResult` for every artifact.

    Raises:
        ArtifactError: If artifacts fail, or something in the folder is not proven; it has the
            results of all.
        FileNotFoundError: If there are no artifacts, or the model or images of all are missing.
    """
    if console is not None:
        console.file = console.file  # standard output as it is now: below it is held back
    with quiet(unless=()):
        folder, is_stored = stores.local(directory), stores.is_remote(directory)
        results = _verify_all(folder, data, trust_model, console, not is_stored)
        if is_stored:
            results = store_results.named(results, folder, str(directory))
    if any(result.error for result in results):
        raise ArtifactError(results)
    return results


def _verify_all(folder, data, trust_model, console, renames):
    entries = _entries(folder)
    if not entries:
        raise FileNotFoundError(
            f"{folder} holds no artifacts with sidecars, as `ghostnet export` makes them."
        )
    sidecars = [path for path in entries if path.suffix == sidecar.SUFFIX]
    folders = [path.with_name(path.stem) for path in sidecars]
    has_saved_models = any(x.is_dir() and x.suffix not in formats.SUFFIXES for x in folders)
    results, errors = [], []
    made = Verifier(folder, data, trust_model, has_saved_models, renames)
    with contextlib.closing(made) as verifier:
        for path in sidecars:
            artifact = path.with_name(path.stem)
            name = str((artifact if artifact in entries else path).relative_to(folder))
            with step(console, f"Verifying {name}") as done:
                try:
                    results.append(verifier.verify(artifact))
                    done(f"verified {name}")
                except Exception as error:  # whatever a damaged file causes: the others go on
                    found = getattr(error, "result", None)
                    text = " ".join(artifacts.message(error).split())
                    known = verifier.formats.get(artifact, name)
                    results.append(ArtifactResult(known, artifact, found, text))
                    errors.append(error)
                    done(f"{name} {results[-1].outcome}")
    others = [path for path in entries if path not in verifier.described]
    is_missing = [isinstance(error, FileNotFoundError) for error in errors]
    if not others and len(errors) == len(results) and all(is_missing):
        raise errors[0]
    return results + [
        ArtifactResult(str(path.relative_to(folder)), path, None, _unknown(path)) for path in others
    ]


def _entries(folder):
    """Whatever is in a folder and its folders of SavedModels, but for what is no artifact."""
    left_out, found = OTHERS | (OF_RUNS if (folder / CONFIG).is_file() else set()), []
    for path in sorted(folder.iterdir()):
        is_folder = path.is_dir() and not path.is_symlink()
        inner = sorted(path.iterdir()) if is_folder else []
        if path.name in left_out or (is_folder and not inner):
            continue
        has_versions = any(x.name.isdecimal() or x.suffix == sidecar.SUFFIX for x in inner)
        found += inner if has_versions and path.suffix not in formats.SUFFIXES else [path]
    return found


def _unknown(path):
    """Why something is not proven that no sidecar is of."""
    if path.name.startswith((".partial-", ".previous-")):
        return "it was left by an export that was stopped. Export again, or remove it."
    if path.name.endswith(FAILED):
        return "it failed an earlier verification. Export again, or remove it."
    if path.suffix in formats.SUFFIXES or path.is_dir():
        return (
            f"there is no {sidecar.path_of(path).name} beside it, which would say what it is. "
            "Export it again, or remove it."
        )
    return "it is nothing that `ghostnet export` makes, or of no artifact here. Remove it."


class Verifier:
    """Verifies artifacts of one folder.

    Args:
        folder: A `pathlib.Path`.
        data, trust_model: As `verify`.
        has_saved_models: Whether a process is to be ready for SavedModels.
        renames: Whether artifacts that fail are renamed.

    Attributes:
        described: The paths that results speak of: artifacts, their sidecars and their models.
        formats: The names of artifacts' formats by their paths.
    """

    def __init__(self, folder, data, trust_model, has_saved_models=False, renames=False):
        self.folder, self.data, self.trust_model = folder, data, trust_model
        self.renames = renames
        self.described, self.formats = set(), {}
        self._models, self._subjects = {}, {}
        self._process = sandbox.take(SAVED_MODEL) if has_saved_models else None

    def close(self):
        """Ends what was started."""
        if self._process is not None:
            self._process.close()

    def verify(self, artifact):
        """The `ArtifactResult` of an artifact.

        Raises:
            Exception: If it is not proven; a `VerificationError` if it computes something else.
        """
        content, fmt, subject, reference = self.open(artifact)
        folded = content["options"].get("fold_preprocessing", False)
        size = subject.model.input_shape[1:3]
        process = None
        if fmt.name == SAVED_MODEL and self._process.is_alive():
            process = self._process
        with contextlib.closing(sandbox.open_runner(artifact, fmt, size, process)) as runner:
            claims.compare(content, subject, fmt, runner.contents, self.data)
            try:
                result = artifacts.verify_artifact(
                    artifact, fmt, subject, reference, folded, runner
                )
            except VerificationError as error:
                if not self.renames:
                    raise
                aside = artifact.with_name(artifact.name + FAILED)
                files.remove(aside)
                os.replace(artifact, aside)
                text = f"{error} It is now called {aside.name}."
                raise VerificationError(text, error.result) from None
        if self.data is None:
            pixels = math.prod(subject.model.output_shape[1:-1])
            claims.compare_figures(content, result, fmt, pixels)
        return ArtifactResult(fmt.name, artifact, result, None, subject.sample_for(fmt).described)

    def open(self, artifact):
        """What an artifact was made from: sidecar, `Format`, `Subject` and the model's outputs.

        Raises:
            Exception: If it is not the file that was exported, or something of it is missing.
        """
        beside = sidecar.path_of(artifact)
        self.described |= {artifact, beside}
        self._require_inside(beside)
        content = sidecar.read(beside)
        if sidecar.VERIFIED not in content:
            raise Unproven("it was trained with rounding, and never verified. Export it.")
        self.described.add(self.folder / content["source"]["file"])
        fmt = formats.get_format(content["format"])
        self.formats[artifact] = fmt.name
        self._require_whole(artifact, content, fmt)
        formats.require_runtime(fmt)
        subject, reference = self._subject(content)
        self._require_same(artifact, content, subject.model)
        claims.require_input(subject, fmt, reference)
        return content, fmt, subject, reference

    def _require_whole(self, artifact, content, fmt):
        """Refuses an artifact that is not there, or not of its format by its name."""
        if not os.path.lexists(artifact):
            raise Unproven(f"{artifact} is missing. Export it again.")
        self._require_inside(artifact)
        is_named = fmt.name == SAVED_MODEL or artifact.name.endswith(fmt.suffix)
        if artifact.is_dir() != fmt.is_folder or not is_named:
            raise Unproven(
                f"{artifact.name} is no {fmt.name} by its name, as its sidecar says it is. Export "
                "it again."
            )

    def _require_same(self, artifact, content, model):
        """Refuses an artifact that is not the one that was exported, by its size and hash."""
        size = files.size(artifact)
        if size > FACTOR * 4 * model.count_params() + BESIDE:
            raise Unproven(f"{artifact.name} is far larger than its model. Export it again.")
        if size != content["bytes"] or sidecar.artifact_hash(artifact) != content["sha256"]:
            raise Unproven(
                f"{artifact} is not the file that was exported: its SHA-256 differs from the one "
                f"in {sidecar.path_of(artifact).name}. Export it again."
            )

    def _require_inside(self, path):
        """Refuses a link out of the folder, devices and the like."""
        inside = path.resolve().is_relative_to(self.folder.resolve())
        if os.path.lexists(path) and not (inside and (path.is_file() or path.is_dir())):
            raise Unproven(f"{path.name} is a link to something outside, or no file. Remove it.")

    def _subject(self, content):
        """The model that an artifact was made from with images, outputs and hash; made once."""
        source, origin = content["source"], content["verification"]["origin"]
        crop, kind = content["preprocessing"]["crop"], source.get("input", NORMALIZED)
        key = (source["file"], kind, crop, tuple(content["labels"]), *sorted(origin.items()))
        model, digest = self._model(source["file"])
        if digest != source["sha256"]:
            raise Unproven(
                f"{source['file']} is not the model that the {content['format']} artifact was made "
                "from: its hash differs. Export again."
            )
        claims.require_usual(content)
        if key not in self._subjects:
            size = model.input_shape[1:3]
            maps = model.output_shape[1:-1]
            sample = samples.reopen(origin, size, crop=crop, data=self.data, map_size=maps)
            subject = Subject(model, tuple(content["labels"]), crop, sample, input=kind)
            self._subjects[key] = subject, subject.reference()
        return self._subjects[key]

    def _model(self, name):
        """A model of the folder, and its hash."""
        if name not in self._models:
            path = self.folder / name
            self._require_inside(path)
            if not path.is_file():
                raise FileNotFoundError(
                    f"{path}, the model that the artifacts were made from, is missing. Export "
                    "again."
                )
            model = load_model(path, self.trust_model)
            self._models[name] = model, sidecar.model_hash(model)
        return self._models[name]
