"""Exported files that are found again by what made them."""

import hashlib
import importlib.metadata
import json
import pathlib

import keras
import numpy as np

from keras_ghostnet import files, layers
from keras_ghostnet.benchmark.comparison import exports, runtimes
from keras_ghostnet.benchmark.networks import random_weights
from keras_ghostnet.export import formats, sidecar
from keras_ghostnet.export.graph import lowering

EXPORT = pathlib.Path(formats.__file__).parent
APART = ("device", "saved_model", "tensorrt")  # parts of the export that nothing here depends on
SEED = 0  # of the rows' weights
# Where Keras' configurations hold names of layers and operations.
NAMED = ("name", "keras_history", "input_layers", "output_layers")
LIBRARIES = ("keras", "numpy", "tensorflow")


class Cache:
    """A folder of exported files, each with a JSON file that says what it is.

    A file is found again only if it comes from the same network (layers and weights), format, code
    of the export and versions of the libraries, and its SHA-256 is still that of the JSON file.

    Args:
        folder: Where; None for the user's cache.
        target: The processor that files are written for, as `keras_ghostnet.export.graph.lowering`
            knows it.
        force: Whether to make all files again.

    Attributes:
        made, found: The numbers of files that were made and found.
    """

    def __init__(self, folder=None, target="host", force=False):
        self.folder = files.cache("compare") if folder is None else pathlib.Path(folder)
        self.target, self.force = target, force
        self.made = self.found = 0
        self.refused: list[str] = []

    def exports(self, subject, choices, size=None):
        """The files of a subject for some runtimes, a generator of `exports.Export`.

        Args:
            subject: A `ComparedNetwork`.
            choices: Pairs of a runtime and a precision, as `runtimes.choose` returns them. A
                `.tflite` file has its own.
            size: Side of the image in pixels; None for that of the row or the model.

        What a runtime does not take is left out, and `refused` says why.

        Raises:
            ValueError: If none of the runtimes takes the network; the message names it.
        """
        if subject.file is not None:
            yield exports.of_file(subject)
            return
        keras.utils.set_random_seed(SEED)
        exporter = exports.Exporter(subject.build(size), random=subject.row is not None)
        network = network_hash(exporter.model)  # before anything changes the statistics
        side = exporter.model.input_shape[1]
        known = dict(model=subject.name, size=side, **subject.accuracy(side))
        taken, error = 0, None
        for choice in choices:
            fmt, (runtime, precision) = runtimes.format_of(choice), choice
            rewrites = repr(lowering.get_lowering(self.target, fmt.dtype))
            what = (fmt.name, rewrites, _code(fmt.module), _versions(runtime))
            key = _hash(network, *what)[:16]
            stem, suffix = f"{files.file_name(exporter.model.name)}_{precision}", fmt.suffix
            path = self.folder / f"{stem}_{key}.{suffix.rpartition('.')[2]}"
            facts = None if self.force else _facts(path)
            if facts is not None:
                self.found += 1
            else:
                try:
                    facts = self._make(exporter, choice, path)
                except ValueError as refusal:
                    error = error or refusal
                    self.refused.append(str(refusal))
                    continue
                self.made += 1
            taken += 1
            yield exports.Export(runtime=runtime, format=precision, path=path, **facts, **known)
        if error and not taken:
            raise error

    def _make(self, exporter, choice, path):
        fmt = runtimes.format_of(choice)
        try:
            with files.replacing(path) as partial:
                exporter.write(partial, choice, self.target)
                is_tflite = fmt.module == exports.TFLITE
                facts = {**exports.describe(partial, is_tflite), **exporter.counts}
        except ValueError as error:
            raise ValueError(f"{exporter.model.name} as {fmt.name}: {error}") from error
        with files.replacing(sidecar.path_of(path)) as partial:
            partial.write_text(json.dumps(facts, indent=2) + "\n", "utf-8")
        return facts


def network_hash(model):
    """SHA-256 of a network: the configuration of its layers, and its weights.

    Layers and other operations, such as sums of maps and numbers, go by their place: Keras numbers
    the names of unnamed ones through the whole process.
    """
    parts = list(model._flatten_layers())
    operations = [each for part in parts for each in getattr(part, "operations", ())]
    names = dict.fromkeys(each.name for each in (*parts[1:], *operations))  # each once, in order
    places = {name: f"operation {i}" for i, name in enumerate(names)}
    digest = hashlib.sha256(model.name.encode())
    config = json.loads(model.to_json())
    digest.update(json.dumps(_renamed(config, places), sort_keys=True).encode())
    for weight in model.weights:
        values = np.ascontiguousarray(keras.ops.convert_to_numpy(weight))
        digest.update(f"{values.dtype} {values.shape}\n".encode())
        digest.update(values.tobytes())
    return digest.hexdigest()


def _renamed(config, places, key=None):
    """A configuration with places instead of names, but not of what else is called the same."""
    if isinstance(config, dict):
        return {name: _renamed(value, places, name) for name, value in config.items()}
    if isinstance(config, list):
        return [_renamed(value, places, key) for value in config]
    is_name = key in NAMED and isinstance(config, str)
    return places.get(config, config) if is_name else config


def _facts(path):
    """What the JSON file says of a file; None if there is none or it was changed."""
    try:
        facts = json.loads(sidecar.path_of(path).read_text("utf-8"))
        is_whole = sidecar.artifact_hash(path) == facts["sha256"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return facts if is_whole else None


def _code(module):
    """A hash of the code that a file of a format's module depends on."""
    modules = {runtimes.format_of((name, "fp32")).module for name in runtimes.RUNTIMES}
    # All others become ONNX first.
    own = {module} if module == exports.TFLITE else {module, "onnx"}
    apart = {*APART, *modules} - own
    sources = [
        *pathlib.Path(layers.__file__).parent.rglob("*.py"),
        *(path for path in EXPORT.rglob("*.py") if path.relative_to(EXPORT).parts[0] not in apart),
        pathlib.Path(exports.__file__),
        pathlib.Path(random_weights.__file__),
    ]
    return _hash(*(sidecar.artifact_hash(path) for path in sorted(sources)))


def _versions(runtime):
    libraries = (runtimes.RUNTIMES[runtime].package, *LIBRARIES)
    return [f"{name} {importlib.metadata.version(name)}" for name in libraries]


def _hash(*parts):
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
