"""Keras' HDF5 weight files of both generations, and the `.keras` archive around one of them.

Only arrays are read. What a file says in attributes is not needed, and a network's
configuration is never deserialized: it could name classes to be created.
"""

import io
import math
import re

import h5py

from keras_ghostnet.weights.readers import hdf5_probe
from keras_ghostnet.weights.readers.checkpoint import BFLOAT16, check_expansion, refusal, shown

SIGNATURE = b"\x89HDF\r\n\x1a\n"
ARCHIVE_MEMBER = "model.weights.h5"

_MAX_DEPTH = 32
_MAX_OBJECTS = 100_000
_KERAS_3_NAME = re.compile(r"(?:.*/)?vars/\d+")
_KERAS_2_MODEL = "model_weights/"  # a full Keras 2 model keeps its weights in this group
_KERAS_2_OPTIMIZER = "optimizer_weights"
_FILTERS = frozenset((h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_FLETCHER32))
_HOSTILE = "Keras does not write such files: do not use it."


def read(file, size):
    """Reads a Keras 2 or Keras 3 weight file.

    Args:
        file: The open file (any binary file object).
        size: Its size in bytes.

    Returns:
        The name of the format and `{dataset path: array}`. Keras 2 model files lose the
        `model_weights/` prefix; optimizer and random-seed state is left out.

    Raises:
        CheckpointError: If the file is of another program, or refers outside of itself.
    """
    with hdf5_probe.open_sound(file) as root:
        datasets = _datasets(root)
        keras_3 = [bool(_KERAS_3_NAME.fullmatch(name)) for name in datasets]
        if all(keras_3):
            return "keras3_h5", _arrays(datasets, size, _is_keras_3_weight)
        if any(keras_3) or any("/" not in name for name in datasets):
            raise refusal(
                "an HDF5 file that Keras did not write",
                "datasets LAYER/.../kernel:0 (Keras 2) or layers/.../vars/0 (Keras 3)",
                "Save the weights with Keras: model.save_weights(...).",
            )
        tensors = _arrays(datasets, size, lambda name: not name.startswith(_KERAS_2_OPTIMIZER))
        return "keras2_h5", {name.removeprefix(_KERAS_2_MODEL): a for name, a in tensors.items()}


def count_values(root, size):
    """Checks all datasets of a file, none of which is read, as `read` those of weights.

    Args:
        root: The open `h5py.File`.
        size: Its size in bytes.

    Returns:
        The number of their values.

    Raises:
        CheckpointError: If one is of other data, lies elsewhere, or unfolds out of proportion.
    """
    datasets = _datasets(root)
    needed = sum(_checked_bytes(name, dataset) for name, dataset in datasets.items())
    check_expansion(needed, size, "the datasets")
    return sum(dataset.size for dataset in datasets.values())


def read_archive(archive):
    """Reads the weights of a `.keras` archive.

    Args:
        archive: The `archives.Archive`.

    Returns:
        `{dataset path: array}`.

    Raises:
        CheckpointError: If the weights inside are no Keras 3 weight file, or are damaged.
    """
    content = archive.read(ARCHIVE_MEMBER, compressed=True)
    format_name, tensors = read(io.BytesIO(content), len(content))
    if tensors and format_name != "keras3_h5":
        raise refusal(f"weights of the form {format_name} in the archive", "those of Keras 3")
    return tensors


def _is_keras_3_weight(name):
    # Seeds of dropout and the like lie beside the weights: layers/dropout/seed_generator/vars/0.
    parts = name.split("/")
    return parts[0] not in ("optimizer", "metrics") and not any(
        part.startswith("seed_generator") for part in parts
    )


def _datasets(root):
    """Returns {path: dataset} of all datasets, without following anything but plain links."""
    datasets, visited, pending = {}, set(), [("", root, 0)]
    while pending:
        path, group, depth = pending.pop()
        for name in group:
            full = f"{path}/{name}" if path else name
            _check_link(group.get(name, getlink=True), full)
            item = group[name]
            address = h5py.h5o.get_info(item.id).addr
            # Without this a group linked into itself would be walked for ever.
            if address in visited or depth >= _MAX_DEPTH or len(visited) >= _MAX_OBJECTS:
                raise refusal(f"{shown(full)}, linked twice or nested too deep", "a tree", _HOSTILE)
            visited.add(address)
            if isinstance(item, h5py.Group):
                pending.append((full, item, depth + 1))
            elif isinstance(item, h5py.Dataset):
                datasets[full] = item
            else:
                raise refusal(f"{shown(full)}, a named type", "groups and datasets", _HOSTILE)
    return dict(sorted(datasets.items()))


def _check_link(link, path):
    if not isinstance(link, h5py.HardLink):
        kind = {h5py.SoftLink: "a soft link", h5py.ExternalLink: "a link to another file"}
        raise refusal(f"{shown(path)}, {kind.get(type(link), 'a link')}", "the data", _HOSTILE)


def _arrays(datasets, size, wanted):
    chosen = {name: dataset for name, dataset in datasets.items() if wanted(name)}
    needed = sum(_checked_bytes(name, dataset) for name, dataset in chosen.items())
    check_expansion(needed, size, "the datasets")  # before the first is read
    return {name: _array(dataset) for name, dataset in chosen.items()}


def _checked_bytes(name, dataset):
    """Returns how many bytes reading `dataset` takes; refuses all but plain numeric ones."""
    if dataset.external or dataset.is_virtual:
        raise refusal(f"{shown(name)}, whose data lies in other files", "the data", _HOSTILE)
    if dataset.shape is None:
        raise refusal(f"{shown(name)} without a shape", "an array", _HOSTILE)
    if dataset.dtype.kind not in "fiubcV" or dataset.dtype.fields or dataset.dtype.subdtype:
        raise refusal(
            f"{shown(name)} of type {dataset.dtype}",
            "floating-point, integer or boolean data",
            "Save the weights with Keras: model.save_weights(...).",
        )
    properties = dataset.id.get_create_plist()
    filters = {properties.get_filter(i)[0] for i in range(properties.get_nfilters())}
    if not filters <= _FILTERS:
        raise refusal(f"{shown(name)} in an unusual compression", "plain data or gzip", _HOSTILE)
    # A chunk is unfolded as a whole, however little of it belongs to the dataset.
    chunk = math.prod(dataset.chunks) if dataset.chunks else 0
    return max(math.prod(dataset.shape), chunk) * dataset.dtype.itemsize


def _array(dataset):
    array = dataset[()]
    # Keras writes bfloat16, which HDF5 does not know, as two opaque bytes with a note.
    if array.dtype == "V2" and dataset.attrs.get("dtype") == "bfloat16":
        return array.view(BFLOAT16)
    return array
