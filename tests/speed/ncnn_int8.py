"""Prints what 8 bits cost in ncnn: GhostNet 1.0 on an emulated Cortex-A76, beside half precision.

ncnn's own tools for it are in none of its packages, so the files are written here: a layer with the
parameter 8 has, behind its weights and biases, a scale for every output channel and one for what it
takes, which it rounds; it outputs floats. By `load_model` of ncnn's `src/layer/convolution.cpp`,
`convolutiondepthwise.cpp` and `innerproduct.cpp`. Scales are those of the largest values. What is
not of 8 bits is computed in half precision where the processor can; errors are of this machine,
which computes it in float32. Weights are random, with batch norms settled on the images.
"""

import pathlib
import shutil
import tempfile

import keras
import ncnn
import numpy as np

from keras_ghostnet import create_model
from keras_ghostnet.benchmark.arm.count import count_instructions
from keras_ghostnet.benchmark.networks.random_weights import settle_batch_norms
from keras_ghostnet.export import formats, verification
from keras_ghostnet.export.device.ncnn_model import BIN, INPUT, PARAM, Model
from keras_ghostnet.export.graph import deploy, for_tracing
from keras_ghostnet.export.ncnn.network import MASK, Network
from keras_ghostnet.preprocessing import normalize
from keras_ghostnet.quiet import quiet
from tests.export.conftest import patches

MODEL, SIZE, IMAGES = "ghostnet_100", 224, 64  # half of the images for the ranges
CONVOLUTION, DEPTHWISE, DENSE = "Convolution", "ConvolutionDepthWise", "InnerProduct"
# The parameters with the number of weights, whether there are biases, and the number of scales.
NUMBERS = {CONVOLUTION: ("6", "5", "0"), DEPTHWISE: ("6", "5", "7"), DENSE: ("2", "1", "0")}
OUTPUTS, SCALED = "0", "8"
INTEGERS = 0x000D4B38  # the tag in front of weights of 8 bits; 0 is that of floats
LARGEST = 127


def read(path):
    """A float32 network, and by layer the weights, flat, and biases."""
    network, values = Network.parse((path / PARAM).read_text()), np.fromfile(path / BIN, "<f4")
    weights, place = {}, 0
    for layer in network.layers:
        if layer.kind in NUMBERS:
            number, biases = (int(layer.parameters.get(key, 0)) for key in NUMBERS[layer.kind][:2])
            sizes = [1, number, biases * int(layer.parameters[OUTPUTS])]
            ends = place + np.cumsum(sizes)
            weights[layer.name] = np.split(values[: ends[-1]], [place, *ends[:-1]])[2:]
            place = ends[-1]
    assert place == len(values)  # no other layer has weights
    return network, weights


def ranges(path, network, weights, images):
    """The largest absolute value that each layer with weights takes."""
    model = Model(path)
    largest = {layer.inputs[0]: 0.0 for layer in network.layers if layer.name in weights}
    for image in images:
        values = np.ascontiguousarray(image.transpose(2, 0, 1), "float32")
        taken = ncnn.Mat(values).clone()
        with model.net.create_extractor() as extractor:
            extractor.set_light_mode(False)  # in which a blob is forgotten where it was used
            extractor.input(INPUT, taken)
            for blob in largest:
                code, found = extractor.extract(blob)
                assert not code
                largest[blob] = max(largest[blob], float(np.abs(np.array(found)).max()))
    return largest


def write(path, network, weights, largest, kinds):
    """A network whose layers of some kinds have weights of 8 bits."""
    content = []
    for layer in network.layers:
        layer.parameters.pop(MASK, None)
        layer.parameters.pop(SCALED, None)
        if layer.name not in weights:
            continue
        kernel, biases = weights[layer.name]
        if layer.kind not in kinds:
            content += [np.zeros(1, "<u4"), kernel, biases]
            continue
        rows = kernel.reshape(int(layer.parameters[NUMBERS[layer.kind][2]]), -1)
        scales = LARGEST / np.abs(rows).max(axis=1)
        integers = np.rint(rows * scales[:, None]).astype("int8").ravel()
        content += [np.array([INTEGERS], "<u4"), np.pad(integers, (0, -len(integers) % 4)), biases]
        content += [np.array([*scales, LARGEST / largest[layer.inputs[0]]], "<f4")]
        layer.parameters[SCALED] = "1"
    path.mkdir()
    (path / PARAM).write_text(network.text())
    (path / BIN).write_bytes(b"".join(part.tobytes() for part in content))
    return path


def main():
    images = normalize(patches(IMAGES, SIZE)).astype("float32")
    seen, held_out = np.split(images, 2)
    keras.utils.set_random_seed(0)
    print("| file | M instr. | typical error | cosine |\n|---|--:|--:|--:|")
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        with quiet():
            model = create_model(MODEL, input_shape=(SIZE, SIZE, 3), classifier_activation=None)
            deployed = for_tracing(deploy(settle_batch_norms(model, seen)))
            reference = model.predict(held_out, verbose=0)
            paths = {fmt: folder / f"{fmt}.ncnn" for fmt in ("ncnn_fp32", "ncnn_fp16")}
            for fmt, path in paths.items():
                formats.write(deployed, formats.get_format(fmt), path, seen)
        network, weights = read(paths["ncnn_fp32"])
        largest = ranges(paths["ncnn_fp32"], network, weights, seen)
        for what, kinds in (
            ("int8", (CONVOLUTION, DEPTHWISE, DENSE)),
            ("int8, depthwise in half precision", (CONVOLUTION, DENSE)),
        ):
            path = folder / f"{len(paths)}.ncnn"
            paths[what] = write(path, network, weights, largest, kinds)
        limits = formats.get_format("tflite_int8")
        for what, path in paths.items():
            found = verification.compare(Model(path)(held_out), reference, None, limits)
            count = count_instructions(path).total / 1e6
            errors = f"{found.typical_error:.4f} | {found.cosine:.5f}"
            print(f"| {what} | {count:.1f} | {errors} |", flush=True)
            shutil.rmtree(path)
    print(f"\nallowed of int8: {limits.max_typical_error:g} and {limits.min_cosine:g}")


if __name__ == "__main__":
    main()
