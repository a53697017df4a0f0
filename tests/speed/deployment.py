"""Prints what each step of the deployment graph saves: GhostNet 1.0, steps added one by one.

Every variant is converted to TFLite alike and run in LiteRT on one thread, all of them in turn in
one run, so that a busy machine slows all alike. Ratios are against the plain conversion of the
model as it is.
"""

import pathlib
import sys
import tempfile

import numpy as np

from keras_ghostnet import create_model, files
from keras_ghostnet.benchmark.latency import measure_latency
from keras_ghostnet.export import tflite
from keras_ghostnet.export.graph import PASSES, deploy, for_tracing
from keras_ghostnet.quiet import quiet
from tests.speed.sides import machine_line

MODEL = "ghostnet_100"
CALLS = 200


def variants(model):
    """Name and model: as it is, flat, then with one step more each time."""
    yield "plain conversion", model
    yield "flatten", deploy(model, passes=())
    for count, name in enumerate(PASSES, start=1):
        yield f"+ {name}", for_tracing(deploy(model, passes=list(PASSES)[:count]))


def main():
    name = sys.argv[1] if len(sys.argv) > 1 else MODEL
    rows, functions = {}, {}
    with tempfile.TemporaryDirectory() as folder, quiet():
        model = create_model(name)
        for number, (step, variant) in enumerate(variants(model)):
            path = pathlib.Path(folder) / f"{number}.tflite"
            saved = pathlib.Path(folder) / f"{number}.keras"
            tflite.export(variant, path, one_partition=False, target="none")
            variant.save(saved)
            operators = tflite.operators(path.read_bytes())
            layers = len(list(variant._flatten_layers(include_self=False)))
            rows[step] = (
                layers,
                len(variant.operations),
                variant.count_params(),
                sum(operators.values()),
                files.size(saved) / 1e6,
                files.size(path) / 1e6,
            )
            runner = tflite.load(path, threads=1)
            functions[step] = runner.single(images(model)[0])
        latencies = measure_latency(functions, calls=CALLS)
    report(name, rows, latencies)


def images(model):
    return np.random.default_rng(0).normal(size=(1, *model.input_shape[1:])).astype("float32")


def report(name, rows, latencies):
    print(f"{name}, float32, one image, LiteRT on one thread\n")
    print("| step | layers | nodes | parameters | TFLite ops | .keras | .tflite | median | ratio |")
    print("|---|---|---|---|---|---|---|---|---|")
    plain = latencies["plain conversion"].median
    for step, (layers, nodes, parameters, operators, keras_size, size) in rows.items():
        median = latencies[step].median
        print(
            f"| {step} | {layers} | {nodes} | {parameters:,} | {operators} | {keras_size:.2f} MB "
            f"| {size:.2f} MB | {median:.2f} ms | {median / plain:.3f} |"
        )
    print(f"\nmedians of {CALLS} calls each, in turn; {machine_line()}")


if __name__ == "__main__":
    main()
