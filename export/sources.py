"""What a user names to be exported: a run's folder, a `.keras` file, or a published model."""

import dataclasses
import json
import pathlib

import keras

from keras_ghostnet import specs
from keras_ghostnet.preprocessing import CLASSES, imagenet_classes
from keras_ghostnet.registry import create_model

CROP = 0.875  # of the public checkpoints


@dataclasses.dataclass(frozen=True)
class Source:
    """A model, and what is known of it.

    Attributes:
        text: What the user named.
        labels: The classes' names in the order of the outputs, a tuple; None if not known.
        recipe: The settings of the run that it comes from, a dictionary; empty if none.
    """

    text: str
    labels: tuple | None
    recipe: dict

    @property
    def crop(self):
        """The part of the resized image's shorter side that evaluation keeps."""
        return self.recipe.get("crop", CROP)

    @property
    def seed(self):
        """Of the split of a source without splits."""
        return self.recipe.get("seed", 0)

    @property
    def data(self):
        """The images that it was trained on, as `open_source` takes them; None if not known."""
        return self.recipe.get("data")

    def load(self):
        """The Keras model.

        Raises:
            OSError: If weights cannot be downloaded.
            ValueError: If a file is not a Keras model, or one of unknown layers.
        """
        if _is_path(self.text):
            from keras_ghostnet.training import classifiers

            try:
                return classifiers.load(self.text)
            except TypeError as error:  # Keras' message has the whole configuration in it
                raise ValueError(
                    f"{self.text} has layers that are not known here: {str(error).splitlines()[-1]}"
                ) from error
        return create_model(self.text, weights="imagenet")


def find(text):
    """Looks a model up, without loading it.

    Args:
        text: A run's folder, a `.keras` file, or a name of `keras_ghostnet.list_models()`, which
            comes with its ImageNet weights.

    Returns:
        A `Source`.

    Raises:
        FileNotFoundError: If there is no such file or folder.
        ValueError: If there is no such name; the message suggests the nearest.
    """
    text = str(text)
    if not _is_path(text):
        name = specs.find(text).name
        return Source(name, tuple(label for _, label in imagenet_classes()), {})
    path = pathlib.Path(text)
    if not path.exists():
        raise FileNotFoundError(
            f"There is no model {path}. Give a run's folder, a .keras file, or a name of "
            "`ghostnet models`."
        )
    from keras_ghostnet.training import run_folder

    config = path / run_folder.CONFIG
    if not config.is_file():
        return Source(text, None, {})
    content = json.loads(config.read_text())
    return Source(text, tuple(content["classes"]), content["run"])


def read_labels(path):
    """The classes' names of a file: a JSON list, or one a line.

    Raises:
        OSError: If it cannot be read.
        ValueError: If it is neither.
    """
    text = pathlib.Path(path).read_text("utf-8")
    if not text.lstrip().startswith("["):
        return tuple(line.strip() for line in text.splitlines() if line.strip())
    labels = json.loads(text)
    if not all(isinstance(label, str) for label in labels):
        raise ValueError(f"{path} must be a list of names. Found something else in it.")
    return tuple(labels)


def labels_for(model, labels):
    """The names of a model's classes.

    Args:
        model: The Keras model.
        labels: What is known of them, or None.

    Returns:
        A tuple; numbers if nothing is known.

    Raises:
        ValueError: If there are not as many as classes.
    """
    classes = model.output_shape[-1]
    if labels is None:
        names = [name for _, name in imagenet_classes()] if classes == CLASSES else range(classes)
        return tuple(map(str, names))
    if len(labels) != classes:
        raise ValueError(
            f"{model.name} has {classes} classes. Received {len(labels)} labels: "
            f"{', '.join(labels[:5])} ..."
        )
    return labels


def check(model):
    """Refuses what no format can be made of.

    Raises:
        ValueError: If the model is not a classifier of RGB images of a fixed size, or has
            weights that are not finite; the message names the layer.
    """
    shapes = [tuple(tensor.shape[1:]) for tensor in (*model.inputs, *model.outputs)]
    fits = [len(shape) for shape in shapes] == [3, 1]
    if not fits or None in shapes[0] or shapes[0][-1] != 3:
        raise ValueError(
            "An export needs a classifier of RGB images of a fixed size: one input "
            "(height, width, 3) and one output (classes,). Received a model with inputs and "
            f"outputs {shapes}: build it with `input_shape=(height, width, 3)`."
        )
    for weight in model.weights:
        if not keras.ops.all(keras.ops.isfinite(weight)):
            layer, _, kind = weight.path.rpartition("/")
            raise ValueError(
                f"The layer {layer} has a {kind} that is not finite (NaN or infinite): training "
                "has diverged. Export an earlier checkpoint, or train with a smaller learning rate."
            )


def _is_path(text):
    path = pathlib.Path(text)
    return path.exists() or bool(path.suffix) or len(path.parts) > 1
