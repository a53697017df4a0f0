"""An artifact as a classifier: its probabilities of images, in its own runtime."""

import os
import pathlib

import numpy as np

from keras_ghostnet import stores
from keras_ghostnet.export import formats, sandbox, sidecar
from keras_ghostnet.model_input import NORMALIZED, PIXELS, prepare
from keras_ghostnet.preprocessing import to_pixels
from keras_ghostnet.training.heads import to_probabilities
from keras_ghostnet.training.teachers import Teacher


class ArtifactClassifier:
    """An artifact of `keras_ghostnet.export.export`, in a process of its own: it may be anybody's.

    Args:
        path: The artifact, with its JSON file beside it.

    Attributes:
        size: `(height, width)` of its images, pixels.
        crop: The fraction of an image that it was evaluated on.
        labels: The classes' names, a tuple.
        is_exclusive: Whether one class alone is true of an image.
        of_pixels: Whether it classifies every pixel.

    Raises:
        FileNotFoundError: If there is no such artifact, or no JSON file beside it.
        ImportError: If its runtime is not installed.
        ValueError: If it does not load, or the JSON file is of another artifact.
    """

    def __init__(self, path):
        path = pathlib.Path(path)
        content = sidecar.require(path)
        fmt = formats.get_format(content["format"])
        formats.require_runtime(fmt)
        prepared = content["preprocessing"]
        self.kind = PIXELS if prepared["normalization_in_artifact"] else NORMALIZED
        self.activation = "linear" if content["outputs_are"] == "logits" else "sigmoid"
        self.size, self.crop = tuple(prepared["size"]), prepared["crop"]
        self.labels = tuple(content["labels"])
        self.is_exclusive = content["labels_are"] == "exclusive"
        self._runner = sandbox.open_runner(path, fmt, self.size)
        try:
            held = self._runner.contents
            _require_fit(path, held, self.size, self.labels)
        except BaseException:
            self.close()
            raise
        self.of_pixels = bool(held) and len(held["outputs"][0]["shape"]) > 2

    def close(self):
        """Ends the process."""
        self._runner.close()

    def run(self, pixels):
        """Probabilities `(n, classes)`, or maps of them, of pixels, uint8 `(n, *size, 3)`."""
        return self._probabilities(prepare(pixels, self.kind))

    def run_normalized(self, images):
        """The same of normalized images; they are rounded to pixels if it takes those."""
        return self.run(to_pixels(images)) if self.kind == PIXELS else self._probabilities(images)

    def _probabilities(self, images):
        return np.asarray(to_probabilities(self._runner(images), self.activation))


def find_artifact(path: str | os.PathLike[str]) -> pathlib.Path | None:
    """The local path of an exported artifact, downloaded from a store; None of anything else.

    Args:
        path: A file or folder, here or in a store: of an artifact there, by its name alone.

    Raises:
        FileNotFoundError: If there is none of that name in a store.
        StoreError: If the store cannot be read.
    """
    local = pathlib.Path(path)
    if not stores.is_remote(path):
        return local if formats.is_artifact(local) else None
    if local.suffix not in formats.SUFFIXES and not local.name.isdecimal():  # a version's folder
        return None
    return stores.fetch(str(path), [sidecar.path_of(local).name])


def open_teacher(path: str | pathlib.Path) -> Teacher:
    """An exported file to distill from, as `keras_ghostnet.training.train(teacher=...)` takes it.

    It runs in its own runtime, in a process of its own, a few images at a time: usually slower than
    the network that learns from it.

    Args:
        path: An artifact of `keras_ghostnet.export.export` of any format but `"web"`, with its JSON
            file beside it, here or in a store.

    Returns:
        A `Teacher`, a context manager that ends the process.

    Raises:
        FileNotFoundError: If there is no such artifact, or no JSON file beside it.
        ImportError: If its runtime is not installed.
        ValueError: If it does not load, the JSON file is of another artifact, it classifies every
            pixel, or its labels are independent of each other.
    """
    artifact = ArtifactClassifier(find_artifact(path) or path)
    if artifact.of_pixels:
        artifact.close()
        raise ValueError(
            f"{path} classifies every pixel. Distill from the model that it was exported from."
        )
    if not artifact.is_exclusive:
        artifact.close()
        raise ValueError(
            f"Distillation needs classes that exclude each other. The labels of {path} are "
            "independent of each other."
        )
    return Teacher(
        str(path), artifact.run_normalized, artifact.size, artifact.labels, artifact.close
    )


def _require_fit(path, held, size, labels):
    """Refuses a sidecar of other images or classes than the artifact's."""
    if held:
        shape, units = held["inputs"][0]["shape"], held["outputs"][0]["shape"][-1]
        if list(size) not in (shape[1:3], shape[2:4]) or len(labels) != max(2, units):
            raise ValueError(
                f"{sidecar.path_of(path)} says images of {size} and {len(labels)} labels. {path} "
                f"takes {shape} and outputs {units} values. Export the model again."
            )
