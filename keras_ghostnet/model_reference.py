"""What a user names as a model: a run's folder, a `.keras` file, or a published model."""

import dataclasses
import json
import pathlib

import keras

from keras_ghostnet import specs
from keras_ghostnet.preprocessing import imagenet_classes
from keras_ghostnet.registry import create_model

BEST, CONFIG = "model.keras", "config.json"  # in a run's folder
CROP = 0.875  # of the public checkpoints


@dataclasses.dataclass(frozen=True)
class SavedModel:
    """A model that can be loaded, and what is known of it.

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
        if not is_path(self.text):
            return create_model(self.text, weights="imagenet")
        try:
            return keras.models.load_model(_file(self.text), compile=False)
        except TypeError as error:  # Keras' message has the whole configuration in it
            raise ValueError(
                f"{self.text} has layers that are not known here: {str(error).splitlines()[-1]}"
            ) from error


def find(text):
    """Looks a model up, without loading it.

    Args:
        text: A run's folder (its best model), a `.keras` file, in a run's folder or anywhere, or
            a name of `keras_ghostnet.list_models()`, which comes with its ImageNet weights.

    Returns:
        A `SavedModel`.

    Raises:
        FileNotFoundError: If there is no such file or folder.
        ValueError: If there is no such name; the message suggests the nearest.
    """
    text = str(text)
    if not is_path(text):
        name = specs.find(text).name
        return SavedModel(name, tuple(label for _, label in imagenet_classes()), {})
    path = _file(text)
    if not path.is_file():
        raise FileNotFoundError(
            f"There is no model {path}. Give a .keras file, the folder of a run that has finished "
            f"an epoch and holds {BEST}, or a name of `ghostnet models`."
        )
    config = path.parent / CONFIG
    if not config.is_file():
        return SavedModel(text, None, {})
    content = json.loads(config.read_text())
    return SavedModel(text, tuple(content["classes"]), content["run"])


def is_path(text):
    """Whether a text names a file or folder, and not a network."""
    path = pathlib.Path(text)
    return path.exists() or bool(path.suffix) or len(path.parts) > 1


def _file(text):
    path = pathlib.Path(text)
    return path / BEST if path.is_dir() else path
