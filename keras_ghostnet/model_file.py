"""The one way in for models of files: checked as a whole before Keras sees them."""

from __future__ import annotations

import contextlib
import io
import json
import math
import os
import re
import threading
from collections.abc import Iterable, Iterator

import keras

from keras_ghostnet.model_config import TRUST, UntrustedModelError, check_config
from keras_ghostnet.weights.readers import archives, hdf5_file, hdf5_probe
from keras_ghostnet.weights.readers.checkpoint import shown

HDF5 = (".h5", ".hdf5")  # which Keras takes for a model's file of HDF5
CONFIG, METADATA = "config.json", "metadata.json"  # in a `.keras` archive
MEMBERS = {CONFIG, METADATA, hdf5_file.ARCHIVE_MEMBER}
MAX_CONFIG = 32 * 2**20  # bytes; the largest of `keras.applications` take 2 MB
MAX_PIXELS = 64_000_000  # of the images that a model takes
MAX_VALUES = 2**28  # of any tensor in it, for one image
SLACK = 2**20  # weights of layers that a file need not hold
ANSI = re.compile(r"\x1b\[\d*m")  # colors, which Keras puts into messages
NO_KERAS_FILE = "It is not a file that Keras 3 wrote with `model.save`, or is damaged."
REASON = 300  # characters of a message of Keras' that are shown

_loading = threading.RLock()  # `_weights_within` changes a class of Keras'


def load_model(path: str | os.PathLike[str], trust_model: bool = False) -> keras.Model:
    """Loads a model's file that may be from anywhere.

    Before Keras sees it, the archive's sizes are checked, and everything that its configuration
    refers to: only layers and functions that compute from their inputs, and what is registered
    (`keras.saving.register_keras_serializable`) by code that was imported, may be in it. While it
    loads, its layers may not ask for more weights than the file holds; then the sizes of images and
    tensors are checked.

    Args:
        path: A `.keras` file, or an `.h5` file that Keras wrote of a whole model.
        trust_model: Whether to do without these checks and Keras' safe mode: then code that the
            file holds or refers to is run.

    Returns:
        The model, not compiled.

    Raises:
        OSError: If the file cannot be read.
        ValueError: If it is not a Keras model, or one of unknown layers; `UntrustedModelError`, one
            of these, if it holds what only a trusted file may.
    """
    path = os.fspath(path)
    with _explained(path):
        if trust_model:
            return keras.models.load_model(path, compile=False, safe_mode=False)  # noqa: TID251
        with open(path, "rb") as file:
            weights = _check(file, path.endswith(HDF5))
        with _loading, _weights_within(weights):
            model = keras.models.load_model(path, compile=False)  # noqa: TID251
        _check_shapes(model)
        return model


def _check(file, is_hdf5):
    """Checks an open file; returns the number of values that it holds for weights."""
    size = os.fstat(file.fileno()).st_size
    if is_hdf5:
        with hdf5_probe.open_sound(file) as root:
            weights = hdf5_file.count_values(root, size)
            text = root.attrs.get("model_config")
    else:
        with archives.Archive(file, size) as archive:
            if odd := sorted(archive.names - MEMBERS):
                raise UntrustedModelError(
                    f"it holds the file {shown(odd[0])}, such as layers of texts keep. {TRUST}"
                )
            content = archive.read(hdf5_file.ARCHIVE_MEMBER, compressed=True)
            with hdf5_probe.open_sound(io.BytesIO(content)) as root:
                weights = hdf5_file.count_values(root, len(content))
            text = archive.read(CONFIG, compressed=True)
    if text is None:
        raise ValueError("it holds weights alone. Give the file of a whole model (model.save).")
    if len(text) > MAX_CONFIG:
        raise UntrustedModelError(
            f"its configuration takes {len(text):,} bytes, more than {MAX_CONFIG:,}. {TRUST}"
        )
    check_config(json.loads(text))
    return weights


@contextlib.contextmanager
def _weights_within(count: int) -> Iterator[None]:
    """Refuses layers that ask for more weights than a file holds, before they take memory."""
    original, thread, left = keras.Layer.add_weight, threading.get_ident(), count + SLACK

    def add_weight(layer, shape=None, *args, **options):
        nonlocal left
        if threading.get_ident() == thread:
            left -= math.prod(shape if isinstance(shape, Iterable) else (shape or 1,))
            if left < 0:
                raise UntrustedModelError(
                    f"{layer.name} asks for {shape} weights; all the file holds are {count:,}. "
                    + TRUST
                )
        return original(layer, shape, *args, **options)

    keras.Layer.add_weight = add_weight
    try:
        yield
    finally:
        keras.Layer.add_weight = original


def _check_shapes(model):
    """Refuses images and tensors that take all memory as soon as the model runs."""
    for tensor in getattr(model, "inputs", None) or ():
        shape = [size or 1 for size in tensor.shape[1:]]
        channels = min(shape[:1] + shape[-1:]) if len(shape) == 3 else 1
        if math.prod(shape) > MAX_PIXELS * channels:
            raise UntrustedModelError(
                f"it takes images of {tuple(tensor.shape[1:])}, more than {MAX_PIXELS:,} pixels. "
                + TRUST
            )
    graph = getattr(model, "_functional", None) or model  # of a sequential model
    for operation in getattr(graph, "operations", ()):
        if isinstance(operation, keras.Model):
            _check_shapes(operation)
        for node in operation._inbound_nodes:
            for tensor in node.output_tensors:
                if math.prod(size or 1 for size in tensor.shape) > MAX_VALUES:
                    raise UntrustedModelError(
                        f"{shown(operation.name)} outputs {tuple(tensor.shape)}, more than "
                        f"{MAX_VALUES:,} values. {TRUST}"
                    )


@contextlib.contextmanager
def _explained(path):
    """Turns whatever a library raises while a file loads into an error that names the file."""
    try:
        yield
    except UntrustedModelError as error:
        raise UntrustedModelError(f"{path} cannot be loaded: {error}") from None
    except hdf5_probe.UnsoundError as error:  # which is not read again for its version
        raise ValueError(f"{path} cannot be loaded: {error}. {NO_KERAS_FILE}") from None
    except OSError as error:
        if error.errno is not None:  # of the system; h5py's has none
            raise
        raise ValueError(_unloadable(path, error)) from error
    except Exception as error:  # Keras raises what its layers, h5py and zipfile raise
        raise ValueError(_unloadable(path, error)) from error


def _unloadable(path, error):
    """Why Keras cannot load a file, in a line: its own messages hold whole configurations."""
    told = ANSI.sub("", str(error)).partition("Arguments received by")[0]
    lines = told.strip().splitlines() or [type(error).__name__]
    reason = lines[-1].removeprefix("Exception encountered: ").partition(" Full object config")[0]
    text = f"{path} cannot be loaded: {reason[:REASON].rstrip('. ')}"
    written = _keras_version(path)
    if written is None:
        return f"{text}. {NO_KERAS_FILE}"
    text += f". It was written by Keras {written}; this is Keras {keras.__version__}."
    if _numbers(written) > _numbers(keras.__version__):
        return f'{text} Install the newer one: pip install "keras>={written}"'
    return f"{text} If it has layers of another package, load it in Python after importing that."


def _keras_version(path):
    """The version of Keras that wrote a file; None if it does not say."""
    try:
        if path.endswith(HDF5):
            with open(path, "rb") as file, hdf5_probe.open_sound(file) as root:
                return str(root.attrs["keras_version"])[:20]
        with (
            open(path, "rb") as file,
            archives.Archive(file, os.fstat(file.fileno()).st_size) as archive,
        ):
            return str(json.loads(archive.read(METADATA, compressed=True))["keras_version"])[:20]
    except Exception:  # whatever is wrong with a file that is reported to be wrong
        return None


def _numbers(version):
    return [int(part) for part in re.findall(r"\d+", version)[:3]]
