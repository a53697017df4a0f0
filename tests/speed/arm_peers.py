"""Prints how many instructions GhostNet 1.0 takes on an emulated Cortex-A76, beside timm's network.

In ncnn and MNN, float32 and half precision: our files, and timm's network by way of `torch.onnx`
and the runtimes' own converters. TORCH_PYTHON names the Python interpreter that has timm. Weights
are random, with batch norms settled on the images; counts do not depend on them.
"""

import pathlib
import tempfile

import keras
import numpy as np
import onnx

from keras_ghostnet import create_model
from keras_ghostnet.benchmark.arm.count import count_instructions
from keras_ghostnet.export import formats
from keras_ghostnet.export.device import mnn_model, ncnn_model
from keras_ghostnet.export.graph import deploy, for_tracing
from keras_ghostnet.export.ncnn.network import Network
from keras_ghostnet.preprocessing import normalize
from keras_ghostnet.quiet import quiet
from tests.export.conftest import patches
from tests.speed import runtime_peers
from tests.speed.export import write_peers
from tests.speed.sides import TORCH_PYTHON

MODEL, SIZE, IMAGES = "ghostnet_100", 224, 16
SHAPE = (1, 3, SIZE, SIZE)
FORMATS = ("ncnn_fp32", "ncnn_fp16", "mnn_fp32", "mnn_fp16")


def write_ours(folder):
    """Our files: a dict of formats and paths."""
    keras.utils.set_random_seed(0)
    deployed, paths = for_tracing(deploy(create_model(MODEL, classifier_activation=None))), {}
    for name in FORMATS:
        fmt = formats.get_format(name)
        paths[name] = folder / f"ours{fmt.suffix}"
        formats.write(deployed, fmt, paths[name])
    return paths


def write_theirs(path, folder):
    """The same of an ONNX file with one input and one output."""
    network = onnx.load(path)
    names = {network.graph.input[0].name: ncnn_model.INPUT}
    names[network.graph.output[0].name] = ncnn_model.OUTPUT
    for tensor in (*network.graph.input, *network.graph.output):
        tensor.name = names[tensor.name]
    for node in network.graph.node:
        for field in (node.input, node.output):
            field[:] = [names.get(name, name) for name in field]
    paths = {}
    for name in FORMATS:
        runtime, half = name.partition("_")[0], name.endswith("fp16")
        source = folder / f"{name}.onnx"
        onnx.save(network, source)
        paths[name] = source.with_suffix(f".{runtime}")
        if runtime == "ncnn":
            _pack(runtime_peers.to_ncnn(source, SHAPE, half), paths[name])
        else:
            runtime_peers.to_mnn(source, mnn_model.HALF if half else "peer", half)
    return paths


def _pack(written, folder):
    """Puts pnnx' files into a folder, and says in them how large an image is."""
    param, weights = written
    network = Network.parse(param.read_text())
    network.describe_input(SIZE, SIZE, 3)
    if not is_half(folder):
        network.forbid_half_precision()
    folder.mkdir()
    (folder / ncnn_model.PARAM).write_text(network.text())
    weights.rename(folder / ncnn_model.BIN)


def is_half(path):
    return path.stem.endswith("fp16")


def main():
    with tempfile.TemporaryDirectory() as name, quiet():
        folder = pathlib.Path(name)
        np.save(folder / "images.npy", normalize(patches(IMAGES, SIZE)))
        versions = write_peers(TORCH_PYTHON, "timm", folder)
        ours = write_ours(folder)
        theirs = write_theirs(folder / "timm_fp32.onnx", folder)
        counts = {
            name: [count_instructions(paths[name]).total / 1e6 for paths in (ours, theirs)]
            for name in FORMATS
        }
    print(f"Millions of instructions; {versions}\n\n| | ours | timm's | ratio |\n|---|--:|--:|--:|")
    for name, (own, other) in counts.items():
        print(f"| {name} | {own:.1f} | {other:.1f} | {own / other:.3f} |")


if __name__ == "__main__":
    main()
