"""What a user names as a model: a run's folder, a `.keras` file, or a published model.

Published is what the catalog of weights lists, and every model of the Hugging Face hub.
"""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
from typing import TYPE_CHECKING, Any

from keras_ghostnet import files, specs, stores
from keras_ghostnet.imagenet import imagenet_classes
from keras_ghostnet.weights import hub, hub_config
from keras_ghostnet.weights.catalog import REGISTRY, Transform

if TYPE_CHECKING:
    import keras

BEST, CONFIG = "model.keras", "config.json"  # in a run's folder
WHOLE = (".keras",)  # of the hub's files, those that hold more than weights
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
        text: What the user named; of the hub, with its commit.
        labels: The classes' names in the order of the outputs; None if not known.
        recipe: The settings of the run that it comes from; empty if there is none.
        transform: The size and crop of images that it was published with.
        trust_model: Whether its file may run code, as `model_file.load_model`.
        repository: Of the hub that it is in; None for other models.
        fetched: Its local copy, of one in a store; None for other models.
    """

    text: str
    labels: tuple[str, ...] | None = None
    recipe: dict[str, Any] = dataclasses.field(default_factory=dict)
    transform: Transform = dataclasses.field(default_factory=Transform)
    trust_model: bool = False
    repository: hub.Repository | None = None
    fetched: pathlib.Path | None = None

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
        """The model's file, an absolute path or URL, or its published name; None in memory.

        Of a folder that is still being written, the path that it will have.
        """
        if stores.is_remote(self.text):
            return _object(self.text)
        if self.text and is_path(self.text):
            return str(files.final_path(_file(self.text).absolute()))
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

        if self.repository is not None:
            whole = self.repository.find_file(WHOLE)
            if whole is None:
                return _build(self.repository, image_size)
            path = self.repository.download(whole)
        elif self.fetched is not None:
            path = self.fetched
        elif is_path(self.text):
            path = _file(self.text)
        else:
            shape = builder.square(3, image_size or self.transform.size)
            return registry.create_model(self.text, weights=TAG, input_shape=shape)
        model = model_file.load_model(path, self.trust_model)
        if image_size is None and any(None in tensor.shape[1:] for tensor in model.inputs):
            image_size = self.recipe.get("image_size")
        return model if image_size is None else builder.with_image_size(model, image_size)


def resolve_model(text: str | os.PathLike[str], trust_model: bool = False) -> ModelReference:
    """Looks a model up, without loading it.

    Args:
        text: A run's folder (its best model), a `.keras` file, in a run's folder or anywhere, here
            or in a store, from which it is downloaded; a name of `keras_ghostnet.list_models()`,
            which comes with its ImageNet weights; or `hf://ORG/NAME` or `hf://ORG/NAME@REVISION`
            of the Hugging Face hub.
        trust_model: Whether the file may run code, as `model_file.load_model`.

    Returns:
        A `ModelReference`.

    Raises:
        FileNotFoundError: If there is no such file or folder.
        ImportError: If the hub's client is not installed.
        OSError: If the hub cannot be reached.
        StoreError: If a store cannot be read.
        ValueError: If there is no such name (the message suggests the nearest), or no weights of
            it are published.
    """
    if hub.is_reference(text):
        return _of_hub(hub.open_repository(text), trust_model)
    if stores.is_remote(text):
        return _of_store(os.fspath(text), trust_model)
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
    return _of_file(text, _file(text), trust_model)


def _object(url):
    """The URL of a model's file; that of a run's best model, of its folder's."""
    return url if url.endswith(WHOLE) else stores.join(url, BEST)


def _of_store(url, trust_model):
    try:
        path = stores.fetch(_object(url), (CONFIG, *RUN_MARKS))
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"There is no model {_object(url)}. Give a .keras file, or the folder of a run that "
            f"has finished an epoch and holds {BEST}."
        ) from error
    return dataclasses.replace(_of_file(url, path, trust_model), fetched=path)


def _of_file(text, path, trust_model):
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


def _of_hub(repository, trust_model):
    """A model of the hub: what it expects is as its `config.json` says."""
    published = _published(repository)
    if repository.find_file(WHOLE) is None:  # a network has to be built for the weights
        published.require_known()
        repository.require_file()
    seen = {"crop": published.crop, "image_size": published.size}
    return ModelReference(
        repository.text, published.labels, seen, trust_model=trust_model, repository=repository
    )


def _published(repository):
    return repository.published or hub_config.Published(repository.text)


def _build(repository, image_size):
    """The network of a repository that holds weights alone."""
    import keras

    from keras_ghostnet import builder, registry
    from keras_ghostnet.weights import identify_checkpoint

    published, path = _published(repository), repository.weights()
    checkpoint = identify_checkpoint(path)
    if checkpoint.classes is None:
        raise ValueError(
            f"{repository.text} has no classifier. Build on its backbone in Python: "
            f'`include_top=False, weights="{repository.text}"`.'
        )
    x = keras.Input(builder.square(checkpoint.channels, image_size or published.size))
    if not published.is_normalized_as_usual:  # then the model takes pixels
        pairs = list(zip(published.mean, published.std, strict=True))
        scales, offsets = [1 / (255 * std) for _, std in pairs], [-m / std for m, std in pairs]
        x = keras.layers.Rescaling(scales, offsets)(x)
    return registry.from_spec(
        checkpoint.spec, classes=checkpoint.classes, weights=path, input_tensor=x
    )


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
    if hub.is_reference(text):
        return False
    path = pathlib.Path(text)
    return path.exists() or bool(path.suffix) or len(path.parts) > 1


def _file(text):
    path = pathlib.Path(text)
    return path / BEST if path.is_dir() else path
