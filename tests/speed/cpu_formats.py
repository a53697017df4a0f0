"""Prints what a format costs on this CPU beside LiteRT: GhostNet 1.0 in ONNX Runtime and OpenVINO.

All artifacts run on one thread, in turn in one run. Ratios are medians over the rounds, against the
float32 ONNX file of the graph as it is. Weights are random, with batch norms settled on the images.
OpenVINO computes floats as float32.
"""

import pathlib
import sys
import tempfile

import keras
import numpy as np

from keras_ghostnet import create_model
from keras_ghostnet.benchmark.networks.random_weights import settle_batch_norms
from keras_ghostnet.export import onnx, openvino
from keras_ghostnet.export.device import run
from keras_ghostnet.export.graph import deploy, for_tracing
from keras_ghostnet.preprocessing import normalize
from keras_ghostnet.quiet import quiet
from tests.export.conftest import patches
from tests.speed.sides import machine_line

MODEL = "ghostnet_100"
IMAGES, SIZE = 32, 224
ROUNDS, CALLS = 100, 4
ROWS = {
    "onnx_fp32 --runtime tensorrt": (onnx, dict(runtime="tensorrt")),
    "onnx_fp32 --runtime onnxruntime": (onnx, dict(runtime="onnxruntime")),
    "onnx_int8 --runtime tensorrt": (onnx, dict(dtype="int8", runtime="tensorrt")),
    "onnx_int8 --runtime onnxruntime": (onnx, dict(dtype="int8", runtime="onnxruntime")),
    "openvino_fp32": (openvino, {}),
    "openvino_int8": (openvino, dict(dtype="int8")),
}


def runners(folder, images):
    """A function for every artifact that runs it once."""
    keras.utils.set_random_seed(0)
    model = settle_batch_norms(create_model(MODEL, classifier_activation=None), images)
    deployed = for_tracing(deploy(model))
    functions = {}
    for name, (module, options) in ROWS.items():
        path = folder / f"{len(functions)}"
        module.export(deployed, path, calibration=images, **options)
        functions[name] = module.load(path).single(images[0])
    return functions


def main():
    images = normalize(patches(IMAGES, SIZE))
    with tempfile.TemporaryDirectory() as folder, quiet():
        functions = runners(pathlib.Path(folder), images)
        rows = []
        for _ in range(ROUNDS):
            *_, times = run.rounds(functions, CALLS, burst=CALLS, warmup=0, lead=1)
            rows.append([np.median(times[name]) for name in functions])
    times = np.array(rows)
    print(f"{MODEL}, {SIZE} px, one image, one thread\n")
    print("| format | ms | to the first |")
    print("|---|--:|--:|")
    for name, values in zip(functions, times.T, strict=True):
        print(f"| {name} | {np.median(values):.2f} | {np.median(values / times[:, 0]):.2f} |")
    print(f"\nmedians of {ROUNDS} rounds of {CALLS} calls each, in turn; {machine_line()}")


if __name__ == "__main__":
    sys.exit(main())
