"""The most probable classes of images, by a Keras model or an artifact in its own runtime."""

import contextlib
import dataclasses
import os
import pathlib
from collections.abc import Callable, Sequence

import keras
import numpy as np

from keras_ghostnet import builder, model_reference
from keras_ghostnet.defaults import keras_defaults
from keras_ghostnet.export import class_names, images
from keras_ghostnet.export.artifact_classifier import ArtifactClassifier, find_artifact
from keras_ghostnet.model_input import prepare, resolve_input
from keras_ghostnet.precision import in_float32
from keras_ghostnet.quiet import quiet
from keras_ghostnet.training.heads import output_activation, to_probabilities
from keras_ghostnet.training.settings import Count, Pixels, within_ranges
from keras_ghostnet.weights import Transform

BATCH_SIZE = 32

Path = str | os.PathLike[str]


@dataclasses.dataclass(frozen=True)
class Prediction:
    """The most probable classes of one image.

    Attributes:
        image: The image's path, or its index in the array that it came from.
        classes: Pairs `(label, probability)`, best first; probabilities are in [0, 1].
        label: The true class, if the folder that a file lies in has the name of one; or None.
    """

    image: str | int
    classes: tuple[tuple[str, float], ...]
    label: str | None = None

    @property
    def is_wrong(self) -> bool:
        """Whether the true class is known and another one is the most probable."""
        return self.label is not None and self.label != self.classes[0][0]


@dataclasses.dataclass(frozen=True)
class _Classifier:
    """A Keras model as an `ArtifactClassifier`."""

    run: Callable[[np.ndarray], np.ndarray]  # pixels, uint8 (n, *size, 3), to probabilities
    size: tuple[int, int]
    crop: float
    labels: tuple[str, ...]


@within_ranges
@keras_defaults()
def predict(
    model: keras.Model | Path,
    images: Path | np.ndarray | Sequence[Path],
    top: Count = 5,
    *,
    image_size: Pixels | None = None,
    input: str | None = None,
    trust_model: bool = False,
) -> list[Prediction]:
    """Classifies images.

    Files are decoded, resized and cropped as in evaluation: by the run's recipe, by a published
    checkpoint's registry entry, or by the JSON file beside an artifact.

    Args:
        model: A Keras classifier of normalized RGB images of a fixed size that ends in logits or
            a softmax; a run's folder (its best model), a `.keras` file, a name of
            `keras_ghostnet.list_models()`, taken with its ImageNet weights, or `hf://ORG/NAME` of
            the Hugging Face hub; or an artifact of `keras_ghostnet.export.export`, which runs in
            its own runtime. Files and folders are here or in a store.
        images: An image file, a folder of them (of any depth), or a sequence of such; or pixels,
            uint8 `(height, width, 3)` or `(n, height, width, 3)` of any size, RGB.
        top: The number of classes to name for each image, at least 1; all if there are fewer.
        image_size: Side of the images that the model is to take, pixels, for one whose size is open
            or to be another; None takes the model's, or the run's.
        input: What a Keras model takes: `"normalized"` images, or `"pixels"` in [0, 255] if it
            normalizes them itself; None detects which. An artifact's JSON file says it.
        trust_model: Whether the model's file may run code, as
            `keras_ghostnet.model_file.load_model`.

    Returns:
        One `Prediction` per image, in the order given; those of a folder sorted by path.

    Raises:
        FileNotFoundError: If there is no such model or image, or no JSON file beside an artifact.
        ImportError: If an artifact's runtime is not installed.
        OSError: If weights cannot be downloaded.
        ValueError: If an image cannot be decoded, or an argument does not fit.
    """
    named = _named_images(images)  # what is missing is reported before a model loads
    with quiet(unless=()), _open(model, image_size, input, trust_model) as classifier:
        predictions = []
        for start in range(0, len(named), BATCH_SIZE):
            batch = named[start : start + BATCH_SIZE]
            pixels = np.stack([_pixels(image, classifier) for _, image in batch])
            probabilities = classifier.run(pixels)
            predictions += [
                Prediction(name, _best(row, classifier.labels, top), _label(name, classifier))
                for (name, _), row in zip(batch, probabilities, strict=True)
            ]
    return predictions


def _named_images(given):
    """Pairs of an image's name and what it is: a path or an array of pixels."""
    if isinstance(given, np.ndarray):
        if given.dtype != np.uint8 or given.ndim not in (3, 4) or given.shape[-1] != 3:
            raise ValueError(
                "Images in memory must be RGB pixels, uint8 (height, width, 3) or "
                f"(n, height, width, 3). Received: {given.dtype} {given.shape}."
            )
        return list(enumerate(given if given.ndim == 4 else given[None]))
    paths = [given] if isinstance(given, str | os.PathLike) else given
    return [(str(path), path) for text in paths for path in images.list_files(text)]


def _pixels(image, classifier):
    """Pixels of the size that a classifier takes, uint8."""
    if isinstance(image, np.ndarray):
        return images.center_crop(image, classifier.size, classifier.crop)
    return images.read_file(image, classifier.size, classifier.crop)


def _label(name, classifier):
    folder = pathlib.Path(name).parent.name if isinstance(name, str) else None
    return folder if folder in classifier.labels else None


def _best(probabilities, labels, top):
    indices = np.argsort(-probabilities, kind="stable")[:top]
    return tuple((labels[index], float(probabilities[index])) for index in indices)


@contextlib.contextmanager
def _open(model, image_size, input, trust_model):
    if not isinstance(model, keras.Model):
        path = find_artifact(model)
        if path is not None:
            if input is not None:
                raise ValueError(
                    f"{path} is an artifact: the JSON file beside it says what it takes. Leave "
                    "--input out."
                )
            with contextlib.closing(ArtifactClassifier(path)) as classifier:
                yield classifier
            return
        reference = model_reference.resolve_model(model, trust_model)
        yield _network(reference.load(image_size), reference.labels, reference.crop, input)
        return
    if image_size:
        model = builder.with_image_size(model, image_size)
    yield _network(model, None, Transform().crop, input)


def _network(model, labels, crop, input):
    class_names.require_classifier(model)
    model = in_float32(model)
    kind = resolve_input(model, input)

    def run(pixels):
        outputs = model.predict(prepare(pixels, kind), batch_size=BATCH_SIZE, verbose=0)
        return np.asarray(to_probabilities(outputs, activation))

    activation = output_activation(model)
    labels = class_names.labels_for(model, labels)
    return _Classifier(run, model.input_shape[1:3], crop, labels)
