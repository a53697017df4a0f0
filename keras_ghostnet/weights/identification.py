"""A checkpoint and what it was identified as: which network, which layout, how many classes."""

import contextlib
import dataclasses
import os
import re

from keras_ghostnet import specs, stores
from keras_ghostnet.weights import catalog, keras3, layouts, paddle, shapes
from keras_ghostnet.weights.readers import read_checkpoint
from keras_ghostnet.weights.readers.checkpoint import is_floating

# Where a folder's weights are: a training run's best model, and Hugging Face's names.
FOLDER_FILES = (
    "model.keras",
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
)
INDICES = (".index.json", ".weights.json")  # of checkpoints in several files

# By the last part of their names, with the kinds of NumPy types that they come in.
COUNTERS = {
    "num_batches_tracked": "iu",  # torch's batch norm
    "n_averaged": "iu",  # torch.optim.swa_utils.AveragedModel
    "total_ops": "iuf",  # thop, a profiler that leaves its counters in every module
    "total_params": "iuf",
}


@dataclasses.dataclass(frozen=True)
class IdentifiedCheckpoint:
    """A checkpoint that was read and identified; no model was touched yet.

    Attributes:
        path: Where it was read from.
        format: File format: `"safetensors"`, `"torch"`, `"paddle"`, `"keras2_h5"`,
            `"keras3_h5"` or `"keras3_archive"`.
        layout: The `Layout` of its names, or None for Keras 3's own.
        spec: The `GhostNetSpec`, `GGhostSpec` or `CifarSpec` that it holds the weights of.
        classes: Classes of its classifier, or None if it has no classifier.
        channels: Channels of its input.
        tensors: Dictionary of arrays, by the layout's own names of them.
        names: What the file calls them where that is another name: a dictionary.
        files, index: As `Checkpoint`'s.
    """

    path: str
    format: str
    layout: layouts.Layout | None
    spec: specs.Spec
    classes: int | None
    channels: int
    tensors: dict
    names: dict = dataclasses.field(default_factory=dict)
    files: tuple = ()
    index: str | None = None

    def name(self, tensor: str) -> str:
        """What the file calls one of the `tensors`."""
        return self.names.get(tensor, tensor)

    @property
    def title(self) -> str:
        """What a message calls the layout."""
        return self.layout.title if self.layout else "Keras 3"


def open_weights(weights, spec):
    """Reads what `weights=` of a model's constructor names: a tag of the registry, or a file.

    Args:
        weights: `"imagenet"` or another tag, or a path.
        spec: The model's specification.

    Returns:
        An `IdentifiedCheckpoint`.

    Raises:
        ValueError: If `weights` is neither a tag nor a file, or the file holds no GhostNet.
        OSError: If the file cannot be read or downloaded.
    """
    tags = catalog.list_tags(spec.name)
    if isinstance(weights, str) and weights in tags:
        path = catalog.download_weights(spec.name, weights)
        try:
            return identify_checkpoint(path)
        except ValueError as error:
            # Without a published hash the first download may be another file altogether.
            raise ValueError(
                f"{error} The file is in Keras' cache: delete {path} to download it again."
            ) from error
    if not isinstance(weights, (str, os.PathLike)):
        raise ValueError(
            "`weights` must be None, a tag of the registry or the path of a file. "
            f"Received: {weights!r} of type {type(weights).__name__}."
        )
    if stores.is_remote(weights):
        return identify_checkpoint(weights)
    path = os.path.expanduser(os.fspath(weights))
    if not os.path.exists(path):
        if os.sep in path or os.path.splitext(path)[1]:
            raise FileNotFoundError(f"`weights`: there is no file {path!r}.")
        raise ValueError(
            f"`weights`: {path!r} is neither a file nor weights of {spec.name}."
            + (specs.suggest(path, tags) if tags else " There are no registered weights of it.")
        )
    return identify_checkpoint(path)


def identify_checkpoint(path: str | os.PathLike[str]) -> IdentifiedCheckpoint:
    """Reads a checkpoint and identifies its network from its names and shapes.

    Args:
        path: A file in any of the formats of `keras_ghostnet.weights.readers`, or a folder with
            one: a training run's, of which the best model is taken, or a downloaded repository.
            Here or in a store, from which it is downloaded.

    Returns:
        An `IdentifiedCheckpoint`.

    Raises:
        ValueError: If the file is damaged, holds something other than arrays, or no GhostNet.
        OSError: If the file cannot be read.
    """
    if stores.is_remote(path):
        path = _fetch(os.fspath(path))
    elif os.path.isdir(path):
        path = _file_in(path)
    checkpoint = read_checkpoint(path)
    tensors = {
        name: array for name, array in checkpoint.tensors.items() if not _is_counter(name, array)
    }
    _check_floating(tensors, checkpoint.path)
    if checkpoint.format in ("keras3_h5", "keras3_archive"):
        spec, classes, channels = keras3.describe(checkpoint.path, tensors)
        return IdentifiedCheckpoint(
            path=checkpoint.path,
            format=checkpoint.format,
            layout=None,
            spec=spec,
            classes=classes,
            channels=channels,
            tensors=tensors,
            files=checkpoint.files,
            index=checkpoint.index,
        )
    try:
        identified = layouts.identify_layout(tensors)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    if identified is None:
        raise ValueError(
            f"{path}: a readable {checkpoint.format} file, but not of a GhostNet that is known "
            f"here. It holds {len(tensors)} arrays, such as {', '.join(sorted(tensors)[:4])}. "
            f"Known: {', '.join(known.title for known in layouts.LAYOUTS)}, and Keras 3 files of "
            "this package's models."
        )
    layout, names = identified
    tensors = {name: tensors[tensor] for name, tensor in names.items()}
    spec = shapes.identify_spec(layout, tensors)
    if spec is None:
        raise ValueError(
            f"{path}: the names are those of {layout.title}, but the shapes belong to no network "
            "of this family: the channels of its batch norms fit no width or size."
        )
    if layout.source == layouts.PADDLE:
        tensors = paddle.to_torch_terms(tensors, layout, spec, path)
    return IdentifiedCheckpoint(
        path=checkpoint.path,
        format=checkpoint.format,
        layout=layout,
        spec=spec,
        classes=shapes.classes(layout, tensors),
        channels=shapes.input_channels(layout, tensors),
        tensors=tensors,
        names=names,
        files=checkpoint.files,
        index=checkpoint.index,
    )


def _file_in(folder):
    for name in FOLDER_FILES:
        if os.path.isfile(path := os.path.join(folder, name)):
            return path
    raise FileNotFoundError(
        f"The folder {folder} holds no weights: there is neither {FOLDER_FILES[0]}, of a training "
        f"run that has finished an epoch, nor {' or '.join(FOLDER_FILES[1:])}. Give the file."
    )


def _fetch(url):
    """The local copy of a checkpoint in a store, whose shards are beside its index."""
    if url.endswith(INDICES):
        return stores.fetch(url.rpartition("/")[0]) / url.rpartition("/")[2]
    if os.path.splitext(url)[1]:
        return stores.fetch(url)
    for name in FOLDER_FILES:
        with contextlib.suppress(FileNotFoundError):
            return _fetch(stores.join(url, name))
    raise FileNotFoundError(
        f"{url} holds no weights: neither {FOLDER_FILES[0]}, of a training run that has finished "
        f"an epoch, nor {' or '.join(FOLDER_FILES[1:])}. Give the file."
    )


def _is_counter(name, array):
    """Whether a tensor is a single number that programs count with; no output depends on it."""
    kinds = COUNTERS.get(re.split(r"[./]", name.removesuffix(":0"))[-1], "")
    return array.dtype.kind in kinds and array.size == 1


def _check_floating(tensors, path):
    """Refuses what a cast would turn into weights without a word: quantized values, masks."""
    odd = [f"{name} ({a.dtype})" for name, a in tensors.items() if not is_floating(a.dtype)]
    if odd:
        raise ValueError(
            f"{path}: {len(odd)} tensor(s) are no floating-point numbers: {', '.join(odd[:4])}. A "
            "quantized network must be saved in floating point first."
        )
