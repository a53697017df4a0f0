"""The lowering passes that pay on this machine, found by measuring."""

import contextlib
import dataclasses
import hashlib
import json
import os
import pathlib
import tempfile

import numpy as np

from keras_ghostnet import environment, files
from keras_ghostnet.export.device import run
from keras_ghostnet.export.graph.lowering import Lowering, lower
from keras_ghostnet.export.tflite import runtime

MEASURED = "measured"  # a target
# What is tried, one change after the other; each stays if it pays.
CHANGES = (
    {"split": True},
    {"rows": True},
    {"windows": 8},
    {"strips": 4},
    {"double": 8},
    {"double": 16},
    {"double": 32},
    {"multiple": 8},
    {"multiple": 16},
    {"stem": 8},
    {"stem": 64},
    {"pack": 16},
    {"pack": 64},
)
GAIN = 0.01  # of the latency; less is noise
ROUNDS, BURST = 40, 8


def tune(model, dtype, write, folder=None):
    """Chooses passes by running the network with and without each, in turn, in one thread.

    The choice is kept: the same network, type, processor and version of LiteRT do not measure
    again. It takes about half a minute, and a machine that does nothing else.

    Args:
        model: As `lowering.lower` takes it.
        dtype: Of the weights: `"float32"`, `"float16"` or `"int8"`.
        write: A function of a model and a path that writes the `.tflite` file.
        folder: Where choices are kept; None for the user's cache.

    Returns:
        A `Lowering`.

    Raises:
        ImportError: If LiteRT is missing.
    """
    folder = files.cache("lowering") if folder is None else pathlib.Path(folder)
    kept = folder / f"{model.name}-{dtype}-{_key(model, dtype)}.json"
    with contextlib.suppress(OSError, ValueError, TypeError):  # none yet, or damaged: made again
        return Lowering(**json.loads(kept.read_text("utf-8")))
    best = _search(model, dtype, write)
    with files.replacing(kept) as partial:
        partial.write_text(json.dumps(dataclasses.asdict(best)), "utf-8")
    return best


def _search(model, dtype, write):
    best, layers = Lowering(), _layers(model)
    with tempfile.TemporaryDirectory() as name:
        paths = [os.path.join(name, f"{number}.tflite") for number in range(2)]
        write(model, paths[0])
        for change in CHANGES:
            candidate = dataclasses.replace(best, **change)
            changed = lower(model, candidate, dtype)
            if _layers(changed) == layers:  # the pass found nothing to change
                continue
            write(changed, paths[1])
            if _ratio(paths[1], paths[0]) < 1 - GAIN:
                best, layers = candidate, _layers(changed)
                paths.reverse()
    return best


def _layers(model):
    """Kinds and shapes of layers and weights."""
    layers = [(type(layer).__name__, tuple(layer.output.shape)) for layer in model.layers]
    return layers, [tuple(weight.shape) for weight in model.weights]


def _ratio(path, reference):
    """How long a file takes, as a part of what another does: the median over rounds."""
    models = {"new": runtime.load(path), "old": runtime.load(reference)}
    run.measure(models, calls=BURST, burst=BURST)
    rounds = [run.measure(models, calls=BURST, burst=BURST, warmup=1) for _ in range(ROUNDS)]
    return np.median([np.min(times["new"]) / np.min(times["old"]) for times in rounds])


def _key(model, dtype):
    """A hash of what a choice depends on: shapes, not weights."""
    machine = environment.machine()
    facts = [
        _layers(model),
        dtype,
        machine["cpu"],
        machine.get("ai-edge-litert"),
        CHANGES,
    ]
    return hashlib.sha256(json.dumps(facts, default=str).encode()).hexdigest()[:16]
