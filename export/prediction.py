"""The classes of images, or of their pixels, by a Keras model or an artifact in its own runtime."""

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
from keras_ghostnet.training.data.label_maps import IGNORED
from keras_ghostnet.training.heads import is_of_pixels, output_activation, to_probabilities
from keras_ghostnet.training.predictions import runner
from keras_ghostnet.training.settings import Count, Pixels, within_ranges
from keras_ghostnet.weights import Transform

BATCH_SIZE = 32
MAPS = 4  # at a time: they are large

Path = str | os.PathLike[str]


@dataclasses.dataclass(frozen=True, eq=False)
class Mask:
    """A class for every pixel of an image.

    Attributes:
        seen: uint8 `(height, width)`: the numbers of the classes, of what the network saw.
        sides: `(height, width)` of the image.
        crop: The fraction of the resized image's shorter side that the network saw.
        labels: The names of all classes, in the order of their numbers.
    """

    seen: np.ndarray
    sides: tuple[int, int]
    crop: float
    labels: tuple[str, ...]

    @property
    def classes(self) -> np.ndarray:
        """uint8 `sides`, as masks to train on are: 255 beyond what the network saw."""
        from keras_ghostnet.training.data.images import uncrop_map

        return uncrop_map(self.seen, self.sides, self.crop)


@dataclasses.dataclass(frozen=True)
class Prediction:
    """The most probable classes of one image, or those of its pixels.

    Attributes:
        image: The image's path, or its index in the array that it came from.
        classes: Pairs `(label, probability)`, best first; probabilities are in [0, 1]. By a model
            of pixels, the fractions of the pixels in place of probabilities.
        label: The true class, if the folder that a file lies in has the name of one; or None.
        mask: The class of every pixel, by a model of pixels; else None.
    """

    image: str | int
    classes: tuple[tuple[str, float], ...]
    label: str | None = None
    mask: Mask | None = dataclasses.field(default=None, compare=False)

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
    of_pixels: bool


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
    """Classifies images, or all their pixels.

    Files are decoded, resized and cropped as in evaluation: by the run's recipe, by a published
    checkpoint's registry entry, or by the JSON file beside an artifact.

    Args:
        model: A Keras classifier of normalized RGB images of a fixed size, or of their pixels, that
            ends in logits or a softmax; a run's folder (its best model), a `.keras` file, a name of
            `keras_ghostnet.list_models()`, taken with its ImageNet weights, or `hf://ORG/NAME` of
            the Hugging Face hub; or an artifact of `keras_ghostnet.export.export`, which runs in
            its own runtime. Files and folders are here or in a store.
        images: An image file, a folder of them (of any depth), or a sequence of such; or pixels,
            uint8 `(height, width, 3)` or `(n, height, width, 3)` of any size, RGB.
        top: The number of classes to name for each image, at least 1; all if there are fewer. Of
            pixels, only those that there are some of.
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
        ValueError: If an image cannot be decoded, an argument does not fit, or a model outputs maps
            of another size than its images, or of more than 255 classes.
    """
    named = _named_images(images)  # what is missing is reported before a model loads
    with quiet(unless=()), _open(model, image_size, input, trust_model) as classifier:
        predictions = []
        count = MAPS if classifier.of_pixels else BATCH_SIZE
        describe = _describe_pixels if classifier.of_pixels else _describe
        for start in range(0, len(named), count):
            names, found = zip(*named[start : start + count], strict=True)
            sides, pixels = zip(*(_read(image, classifier) for image in found), strict=True)
            probabilities = classifier.run(np.stack(pixels))
            predictions += [
                describe(*each, classifier, top)
                for each in zip(names, sides, probabilities, strict=True)
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


def _read(image, classifier):
    """The `(height, width)` of an image, and its pixels of the size that a classifier takes."""
    pixels = image if isinstance(image, np.ndarray) else images.decode_file(image)
    return pixels.shape[:2], images.center_crop(pixels, classifier.size, classifier.crop)


def _describe(name, _, probabilities, classifier, top):
    """The `Prediction` of an image."""
    return Prediction(name, _best(probabilities, classifier.labels, top), _label(name, classifier))


def _describe_pixels(name, sides, probabilities, classifier, top):
    """The `Prediction` of an image's pixels."""
    if probabilities.shape[:2] != classifier.size or len(classifier.labels) > IGNORED:
        raise ValueError(
            f"Masks are of models whose maps are as large as their images, {classifier.size}, of "
            f"at most {IGNORED} classes. Received maps {probabilities.shape}."
        )
    seen = probabilities.argmax(axis=-1).astype(np.uint8)
    fractions = np.bincount(seen.ravel(), minlength=len(classifier.labels)) / seen.size
    best = _best(fractions, classifier.labels, min(top, np.count_nonzero(fractions)))
    return Prediction(name, best, mask=Mask(seen, sides, classifier.crop, classifier.labels))


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
    class_names.require_classifier(model, of_pixels=True)
    model = in_float32(model)
    kind = resolve_input(model, input)

    def run(pixels):
        return np.asarray(to_probabilities(outputs_of(prepare(pixels, kind)), activation))

    outputs_of, activation = runner(model), output_activation(model)
    labels = class_names.labels_for(model, labels)
    return _Classifier(run, model.input_shape[1:3], crop, labels, is_of_pixels(model))
