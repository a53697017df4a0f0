"""What a user names as a model: a run's folder, a `.keras` file, or a published model."""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
from typing import TYPE_CHECKING, Any

from keras_ghostnet import files, specs
from keras_ghostnet.imagenet import imagenet_classes
from keras_ghostnet.weights.catalog import REGISTRY, Transform

if TYPE_CHECKING:
    import keras

BEST, CONFIG = "model.keras", "config.json"  # in a run's folder
RUN_MARKS = ("last.keras", "metrics.csv", "metrics.json", "checkpoints")  # and only there
# What is taken of a run's settings: types, least and most.
NUMBERS = {
    "crop": ((int, float), 1e-3, 1),
    "seed": ((int,), 0, 2**32),
    "image_size": ((int,), 1, 1 << 13),
}
TAG = "imagenet"  # of a published model's weights


@dataclasses.dataclass(frozen=True)
class ModelReference:
    """A model that can be loaded, and what is known of it before.

    Attributes:
        text: What the user named.
        labels: The classes' names in the order of the outputs; None if not known.
        recipe: The settings of the run that it comes from; empty if there is none.
        transform: The size and crop of images that it was published with.
        trust_model: Whether its file may run code, as `model_file.load_model`.
    """

    text: str
    labels: tuple[str, ...] | None = None
    recipe: dict[str, Any] = dataclasses.field(default_factory=dict)
    transform: Transform = dataclasses.field(default_factory=Transform)
    trust_model: bool = False

    @property
    def crop(self) -> float:
        """The fraction of the resized image's shorter side that evaluation keeps."""
        return self.recipe.get("crop", self.transform.crop)

    @property
    def seed(self) -> int:
        """The seed of the split, for a data source without splits."""
        return self.recipe.get("seed", 0)

    @property
    def data(self) -> str | None:
        """The images that it was trained on, as `open_source` takes them; None if not known."""
        return self.recipe.get("data")

    @property
    def origin(self) -> str | None:
        """The model's file, an absolute path, or its published name; None of one in memory."""
        if self.text and is_path(self.text):
            return str(_file(self.text).absolute())
        return self.text or None

    def load(self, image_size: int | None = None) -> keras.Model:
        """Loads the model.

        Args:
            image_size: Side of the images that it is to take, pixels. None leaves it at the file's,
                or if that is open at the run's; a published model's is the one it was published
                with.

        Raises:
            OSError: If weights cannot be downloaded.
            ValueError: If a file is not a Keras model, one of unknown layers or of more than a file
                may hold unless it is trusted, or cannot take images of the size.
        """
        from keras_ghostnet import builder, model_file, registry

        if not is_path(self.text):
            shape = builder.square(3, image_size or self.transform.size)
            return registry.create_model(self.text, weights=TAG, input_shape=shape)
        model = model_file.load_model(_file(self.text), self.trust_model)
        if image_size is None and any(None in tensor.shape[1:] for tensor in model.inputs):
            image_size = self.recipe.get("image_size")
        return model if image_size is None else builder.with_image_size(model, image_size)


def resolve_model(text: str | os.PathLike[str], trust_model: bool = False) -> ModelReference:
    """Looks a model up, without loading it.

    Args:
        text: A run's folder (its best model), a `.keras` file, in a run's folder or anywhere, or
            a name of `keras_ghostnet.list_models()`, which comes with its ImageNet weights.
        trust_model: Whether the file may run code, as `model_file.load_model`.

    Returns:
        A `ModelReference`.

    Raises:
        FileNotFoundError: If there is no such file or folder.
        ValueError: If there is no such name (the message suggests the nearest), or no weights of
            it are published.
    """
    text = os.path.expanduser(text)
    if not is_path(text):
        entry = REGISTRY.get((specs.get_spec(text).name, TAG))
        if entry is None:
            published = dict.fromkeys(model for model, tag in REGISTRY if tag == TAG)
            raise ValueError(
                f"No weights of {text} are published, so it has to be trained first: name a run's "
                f"folder or a .keras file. Published: {', '.join(published)}."
            )
        labels = tuple(label for _, label in imagenet_classes())
        return ModelReference(text, labels, transform=entry.transform)
    path = _file(text)
    if not path.is_file():
        raise FileNotFoundError(
            f"There is no model {path}. Give a .keras file, the folder of a run that has finished "
            f"an epoch and holds {BEST}, or a name of `ghostnet models`."
        )
    config = path.parent / CONFIG
    if config.exists():
        labels, recipe = _read_config(config)
        return ModelReference(text, labels, recipe, trust_model=trust_model)
    if path.name == BEST and any((path.parent / name).exists() for name in RUN_MARKS):
        raise FileNotFoundError(
            f"{config} is missing, which says what the run's model sees: size, crop, classes. Run "
            "the training again, which writes it, or copy the model elsewhere to use it alone."
        )
    return ModelReference(text, trust_model=trust_model)


def _read_config(path):
    """The names of the classes and the settings that a run's `config.json` holds."""
    try:
        content = json.loads(files.read_text(path))
        labels, settings = content["classes"], content["run"]
        if not isinstance(settings, dict) or not all(isinstance(name, str) for name in labels):
            raise TypeError
        for name, (kinds, least, most) in NUMBERS.items():
            value = settings.get(name, most)
            if not (type(value) in kinds and least <= value <= most):
                raise ValueError(f"`{name}` is {value!r}")
        if not isinstance(settings.get("data", ""), str):
            raise ValueError(f"`data` is {settings['data']!r}")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(
            f"{files.printable(path)} is damaged: it does not hold the classes and settings of a "
            f"run ({error or type(error).__name__}). Run the training again, which writes it."
        ) from error
    return tuple(labels), settings


def is_path(text: str) -> bool:
    """Whether a text names a file or folder, and not a network."""
    path = pathlib.Path(text)
    return path.exists() or bool(path.suffix) or len(path.parts) > 1


def _file(text):
    path = pathlib.Path(text)
    return path / BEST if path.is_dir() else path
