"""What a user names as a model: a run's folder, a `.keras` file, or a published model."""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import re
import zipfile
from typing import TYPE_CHECKING, Any

from keras_ghostnet import specs
from keras_ghostnet.imagenet import imagenet_classes
from keras_ghostnet.weights.catalog import REGISTRY, Transform

if TYPE_CHECKING:
    import keras

BEST, CONFIG = "model.keras", "config.json"  # in a run's folder
REASON = 300  # characters of a message of Keras' that are shown
TAG = "imagenet"  # of a published model's weights


@dataclasses.dataclass(frozen=True)
class ModelReference:
    """A model that can be loaded, and what is known of it before.

    Attributes:
        text: What the user named.
        labels: The classes' names in the order of the outputs; None if not known.
        recipe: The settings of the run that it comes from; empty if there is none.
        transform: The size and crop of images that it was published with.
    """

    text: str
    labels: tuple[str, ...] | None = None
    recipe: dict[str, Any] = dataclasses.field(default_factory=dict)
    transform: Transform = dataclasses.field(default_factory=Transform)

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
            ValueError: If a file is not a Keras model, or one of unknown layers, or cannot take
                images of the size.
        """
        import keras

        from keras_ghostnet import builder, registry

        if not is_path(self.text):
            shape = builder.square(3, image_size or self.transform.size)
            return registry.create_model(self.text, weights=TAG, input_shape=shape)
        try:
            model = keras.models.load_model(_file(self.text), compile=False)
        except (TypeError, ValueError, AttributeError, KeyError, zipfile.BadZipFile) as error:
            raise ValueError(_unloadable(_file(self.text), error)) from error
        if image_size is None and any(None in tensor.shape[1:] for tensor in model.inputs):
            image_size = self.recipe.get("image_size")
        return model if image_size is None else builder.with_image_size(model, image_size)


def resolve_model(text: str | os.PathLike[str]) -> ModelReference:
    """Looks a model up, without loading it.

    Args:
        text: A run's folder (its best model), a `.keras` file, in a run's folder or anywhere, or
            a name of `keras_ghostnet.list_models()`, which comes with its ImageNet weights.

    Returns:
        A `ModelReference`.

    Raises:
        FileNotFoundError: If there is no such file or folder.
        ValueError: If there is no such name (the message suggests the nearest), or no weights of
            it are published.
    """
    text = str(text)
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
    if not config.is_file():
        return ModelReference(text)
    content = json.loads(config.read_text())
    return ModelReference(text, tuple(content["classes"]), content["run"])


def _unloadable(path, error):
    """Why Keras cannot load a file, in a few lines: its own messages hold whole configurations."""
    import keras

    lines = str(error).strip().splitlines()
    reason = lines[-1].removeprefix("Exception encountered: ").partition(" Full object config")[0]
    text = f"{path} cannot be loaded: {reason[:REASON]}"
    written = _keras_version(path)
    if written is None:
        return f"{text}\nIt is not a file that Keras 3 wrote with `model.save`, or is damaged."
    text += f"\nIt was written by Keras {written}; this is Keras {keras.__version__}."
    if _numbers(written) > _numbers(keras.__version__):
        return f'{text} Install the newer one: pip install "keras>={written}"'
    return f"{text} If it has layers of another package, load it in Python after importing that."


def _keras_version(path):
    """The version of Keras that wrote a file; None if it does not say."""
    try:
        with zipfile.ZipFile(path) as archive:
            return str(json.loads(archive.read("metadata.json"))["keras_version"])
    except (OSError, zipfile.BadZipFile, KeyError, ValueError, TypeError):
        return None


def _numbers(version):
    return [int(part) for part in re.findall(r"\d+", version)[:3]]


def is_path(text: str) -> bool:
    """Whether a text names a file or folder, and not a network."""
    path = pathlib.Path(text)
    return path.exists() or bool(path.suffix) or len(path.parts) > 1


def _file(text):
    path = pathlib.Path(text)
    return path / BEST if path.is_dir() else path
