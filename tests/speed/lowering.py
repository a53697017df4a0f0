"""Prints what rewriting for a processor saves: GhostNet 1.0 in TFLite, rewrites one by one.

All files run in LiteRT on one thread, in turn in one run, beside MobileNetV3-Large 1.0 of
`keras.applications`. Ratios are against the file without rewrites of the same type, and against
MobileNetV3-Large in float32; the fastest int8 also against our own fastest float32. Weights are
random, with batch norms settled on the images.

With the argument `arm`: instructions per inference on an emulated Cortex-A76 instead of times, also
in half precision, which x86 computes in float32.
"""

import dataclasses
import pathlib
import sys
import tempfile

import keras
import numpy as np

from keras_ghostnet import create_model
from keras_ghostnet.benchmark.arm.count import count_instructions
from keras_ghostnet.benchmark.networks.random_weights import settle_batch_norms
from keras_ghostnet.export import tflite
from keras_ghostnet.export.device import run
from keras_ghostnet.export.graph import deploy, for_tracing
from keras_ghostnet.export.graph.lowering import TARGETS, Lowering
from keras_ghostnet.preprocessing import normalize
from keras_ghostnet.quiet import quiet
from tests.export.conftest import patches
from tests.speed.sides import machine_line

MODEL = "ghostnet_100"
IMAGES, SIZE = 16, 224
ROUNDS, CALLS = 100, 8
VARIANTS = {
    "float32": {
        "none": Lowering(),
        "split": Lowering(split=True),
        "double 8": Lowering(double=8),
        "double 8, split": Lowering(double=8, split=True),
        "split, widen 8": Lowering(split=True, multiple=8),
        "double 8, split, widen 8": Lowering(double=8, split=True, multiple=8),
        "double 16, split, widen 8": Lowering(double=16, split=True, multiple=8),
        "split, widen 8, strips 4": Lowering(split=True, multiple=8, strips=4),
    },
    "float16": {
        "none": Lowering(),
        "rows": Lowering(rows=True),
        "rows, split": Lowering(rows=True, split=True),
        "rows, split, double 8": Lowering(rows=True, split=True, double=8),
        "rows, split, double 8, windows 8": Lowering(rows=True, split=True, double=8, windows=8),
        "rows, split, double 8, windows 8, pack 16": Lowering(
            rows=True, split=True, double=8, windows=8, pack=16
        ),
        "rows, split, double 8, windows 8, pack 16, strips 4": Lowering(
            rows=True, split=True, double=8, windows=8, pack=16, strips=4
        ),
        "split, widen 8": Lowering(split=True, multiple=8),
    },
    "int8": {
        "none": Lowering(),
        "split": Lowering(split=True),
        "double 8": Lowering(double=8),
        "double 16": Lowering(double=16),
        "double 8, strips 4": Lowering(double=8, strips=4),
        "stem 8": Lowering(stem=8),
        "double 8, stem 8": Lowering(double=8, stem=8),
        "stem 64, pack 64": Lowering(stem=64, pack=64),
        "double 8, stem 64, pack 64": Lowering(double=8, stem=64, pack=64),
    },
}
REFERENCE = "MobileNetV3-Large 1.0, float32"


def write(folder, images, dtypes):
    """The files of some types: a dict of names and paths."""
    keras.utils.set_random_seed(0)
    model = settle_batch_norms(create_model(MODEL, classifier_activation=None), images)
    peer = keras.applications.MobileNetV3Large(
        input_shape=(SIZE, SIZE, 3), weights=None, include_preprocessing=False
    )
    paths = {REFERENCE: folder / "peer.tflite"}
    tflite.export(peer, paths[REFERENCE], target="none", one_partition=False)
    deployed = for_tracing(deploy(model))
    for dtype in dtypes:
        for name, lowering in VARIANTS[dtype].items():
            path = paths[f"{dtype}: {name}"] = folder / f"{len(paths)}.tflite"
            tflite.export(deployed, path, dtype, images, target=lowering)
    return paths


def milliseconds(paths):
    """The times of every file, one a round."""
    models = {name: tflite.load(path) for name, path in paths.items()}
    run.measure(models, calls=CALLS)
    rounds = [run.measure(models, CALLS, burst=CALLS, warmup=1) for _ in range(ROUNDS)]
    return {name: np.array([np.median(row[name]) for row in rounds]) for name in paths}


def instructions(paths):
    """The instructions of every file in millions."""
    return {name: np.array([count_instructions(path).total / 1e6]) for name, path in paths.items()}


def main():
    images = normalize(patches(IMAGES, SIZE))
    is_arm = sys.argv[1:] == ["arm"]
    measure, unit = (instructions, "M instr.") if is_arm else (milliseconds, "ms")
    dtypes = [dtype for dtype in VARIANTS if is_arm or dtype != "float16"]
    with tempfile.TemporaryDirectory() as folder, quiet():
        found = measure(write(pathlib.Path(folder), images, dtypes))
    report(found, unit, dtypes)


def report(found, unit, dtypes):
    print(f"{MODEL}, {SIZE} px, one image, one thread; targets: {targets()}\n")
    print(f"| file | {unit} | to its `none` | to MobileNetV3-Large fp32 |")
    print("|---|--:|--:|--:|")
    for name, values in found.items():
        plain = found.get(f"{name.partition(':')[0]}: none", values)
        own, peer = np.median(values / plain), np.median(values / found[REFERENCE])
        print(f"| {name} | {np.median(values):.2f} | {own:.3f} | {peer:.3f} |")
    floats, *others = (least(found, dtype) for dtype in dtypes)
    for other in others:
        print(f"\n{other} / {floats} = {np.median(found[other] / found[floats]):.3f}")
    times = f"medians of {ROUNDS} rounds of {CALLS} calls each, in turn; " if unit == "ms" else ""
    print(f"\n{times}{machine_line()}")


def least(found, dtype):
    names = [name for name in found if name.startswith(dtype)]
    return min(names, key=lambda name: np.median(found[name]))


def targets():
    return "; ".join(
        f"{name} {kind}: {_changes(lowering)}"
        for name, kinds in TARGETS.items()
        for kind, lowering in kinds.items()
        if lowering != Lowering()
    )


def _changes(lowering):
    plain = dataclasses.asdict(Lowering())
    fields = dataclasses.asdict(lowering).items()
    return " ".join(f"{name}={value}" for name, value in fields if value != plain[name])


if __name__ == "__main__":
    sys.exit(main())
