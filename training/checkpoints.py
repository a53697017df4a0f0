"""Checkpoints of everything a run needs to go on: whole or not there, and checked when read.

A checkpoint is two files, `step-00001200.safetensors` with all variables and
`step-00001200.json` with where the run stands, its metrics, and the SHA-256 of all that. The second
is written last, so that a checkpoint without it was not finished.
"""

import dataclasses
import hashlib
import json
import os
import pathlib
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import safetensors
from safetensors.numpy import load_file, save

from keras_ghostnet import files

NAME = re.compile(r"^step-(\d{8,})\.json$")
FORMAT = 2
History = list[dict[str, Any]]  # a row an epoch, as in `metrics.csv`
# What reading a checkpoint that is not whole raises.
DAMAGE = (
    OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError,
    safetensors.SafetensorError,
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class State:
    """Where a run stands.

    Attributes:
        step: Steps that were taken, over all epochs.
        variables: Arrays by name: weights, optimizer, averages, random seeds.
        recipe: What the run is, as a dictionary: a checkpoint of another is refused.
        history: One dictionary an epoch, as in `metrics.csv`.
        sums: Of the epoch that was started: how many `steps`, and their `loss` and `accuracy`.
        images: What the run is trained on: names of `classes`, and for each split the number of
            `examples` and their `fingerprint`; None if not known.
    """

    step: int
    variables: dict[str, np.ndarray]
    recipe: dict[str, Any]
    history: History
    sums: dict[str, float]
    images: dict[str, Any] | None = None


class CheckpointError(ValueError):
    """A checkpoint is damaged, or of another run."""


class Checkpoints:
    """The checkpoints in a folder.

    Args:
        folder: Where they are; created with the first one.
        keep: How many of the last ones are kept, beside the best epoch's; others are removed.
        log: Function of a line of text, for what the user should know.
    """

    def __init__(
        self, folder: str | os.PathLike[str], keep: int = 3, log: Callable[[str], None] = print
    ):
        self.folder = pathlib.Path(folder)
        self.keep = keep
        self.log = log

    def save(self, state: State) -> None:
        """Writes a checkpoint, then removes those that are too old.

        Args:
            state: A `State`.

        Raises:
            OSError: If it cannot be written, e.g. on a full disk; earlier ones are untouched.
        """
        name = f"step-{state.step:08d}"
        arrays = self.folder / f"{name}.safetensors"
        # safetensors writes an array's memory as it lies: views and scalars need their own.
        variables = {key: np.ascontiguousarray(value) for key, value in state.variables.items()}
        try:
            # Not by safetensors' own file, which it writes under a name that nobody clears up.
            with files.replacing(arrays) as partial:
                partial.write_bytes(save(variables))
        except OSError as error:
            raise OSError(error.errno, f"{arrays} cannot be written: {error.strerror}") from error
        described = {
            "format": FORMAT,
            "step": state.step,
            "scalars": [key for key, value in state.variables.items() if np.ndim(value) == 0],
            "recipe": state.recipe,
            "history": state.history,
            "sums": state.sums,
            "images": state.images,
        }
        described["sha256"] = _sha256(arrays, described)
        with files.replacing(self.folder / f"{name}.json") as partial:
            partial.write_text(json.dumps(described, indent=1) + "\n")
        best = best_epoch(state.history)["step"] if state.history else None
        for step in self.steps()[: -self.keep]:
            if step != best:
                self._remove(step)

    def steps(self) -> list[int]:
        """The steps at which there are checkpoints, ascending."""
        if not self.folder.is_dir():
            return []
        matches = (NAME.match(path.name) for path in self.folder.iterdir())
        return sorted(int(match[1]) for match in matches if match)

    def latest(self, recipe: dict[str, Any], images: dict[str, Any] | None = None) -> State | None:
        """The last checkpoint that is whole; a broken one is reported and the one before taken.

        Args:
            recipe: What the run is, as `State.recipe`. It may have more `epochs`, and if the
                images are known to be the same, they may lie elsewhere.
            images: What it is to be trained on, as `State.images`; None leaves that unchecked.

        Returns:
            A `State`, or None if there is no checkpoint.

        Raises:
            CheckpointError: If all are broken, or if they belong to another recipe or to other
                images.
        """
        steps = self.steps()
        for step in reversed(steps):
            try:
                state = self._load(step)
            except DAMAGE as error:
                self.log(f"The checkpoint of step {step} is broken and is passed over: {error}")
                continue
            _require_same_run(state, recipe, images, self.folder)
            return state
        if steps:
            raise CheckpointError(
                f"All {len(steps)} checkpoints in {self.folder} are broken. Move the run's folder "
                "away to start again."
            )
        return None

    def at(self, step: int) -> State | None:
        """The checkpoint of a step, a `State`; None if there is none that is whole."""
        try:
            return self._load(step)
        except DAMAGE:
            return None

    def _load(self, step):
        described = json.loads(self._path(step, "json").read_text())
        if described["format"] != FORMAT:
            raise CheckpointError(f"format {described['format']}, this version reads {FORMAT}")
        arrays = self._path(step, "safetensors")
        if _sha256(arrays, described) != described["sha256"]:
            raise CheckpointError("it does not have the checksum that it was written with")
        variables = load_file(arrays)
        for name in described["scalars"]:
            variables[name] = variables[name].reshape(())
        fields = {name: described[name] for name in ("step", "recipe", "history", "sums")}
        return State(variables=variables, images=described.get("images"), **fields)

    def _path(self, step, suffix):
        return self.folder / f"step-{step:08d}.{suffix}"

    def _remove(self, step):
        # The description first: without it the arrays are no checkpoint.
        files.remove(self._path(step, "json"))
        files.remove(self._path(step, "safetensors"))


def best_epoch(history: History) -> dict[str, Any]:
    """The row of the best epoch: by what `best_figure` names, then by the held-out loss."""
    return max(history, key=lambda row: (row[best_figure(row)], -row["val_loss"]))


def best_figure(row: dict[str, Any]) -> str:
    """The column of a history by which epochs are judged: held-out mean IoU, or accuracy."""
    return "val_mean_iou" if "val_mean_iou" in row else "val_accuracy"


def _require_same_run(state, recipe, images, folder):
    found = state.recipe
    different = {name for name in {*found, *recipe} if found.get(name) != recipe.get(name)}
    if found.get("epochs", 0) < recipe.get("epochs", 0):
        different.discard("epochs")  # the run is extended
    messages = []
    if state.images and images:
        different.discard("data")
        messages = _different_images(state.images, images)
    messages += [
        f"{name} was {found.get(name)!r}, is {recipe.get(name)!r}" for name in sorted(different)
    ]
    if messages:
        raise CheckpointError(
            f"{folder} holds checkpoints of another run: {'; '.join(messages)}. Continue with the "
            "same settings and images, or choose another folder."
        )


def _different_images(found, wanted):
    """How the images differ, in words."""
    if found["classes"] != wanted["classes"]:
        gone, new = (
            ", ".join(repr(name) for name in one if name not in other)
            for one, other in (
                (found["classes"], wanted["classes"]),
                (wanted["classes"], found["classes"]),
            )
        )
        if not gone and not new:
            return ["the classes are in another order"]
        return [f"the classes differ (gone: {gone or 'none'}; new: {new or 'none'})"]
    messages = []
    for split, count in wanted["examples"].items():
        before = found["examples"][split]
        if count != before:
            messages.append(f"{split} had {before:,} images, has {count:,}")
        elif found["fingerprint"][split] != wanted["fingerprint"][split]:
            messages.append(f"{split} has as many images, but of other names or classes")
    return messages


def _sha256(path, described):
    """Of the arrays' file and of what describes it, but for the checksum itself."""
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256")
    described = {key: value for key, value in described.items() if key != "sha256"}
    digest.update(json.dumps(described, sort_keys=True).encode())
    return digest.hexdigest()
