"""An ONNX file in other runtimes, by their own converters, as their documents advise.

`openvino`, `ncnn` and `mnn` take the file of a network of one image and the image
`(height, width, 3)`, and return a function without arguments that runs it in one thread.
"""

import pathlib
import sys

import numpy as np

from keras_ghostnet.export import processes
from keras_ghostnet.export.mnn.conversion import CODE
from keras_ghostnet.export.ncnn.conversion import find_program


def batch_of(image):
    """The image as PyTorch's networks take it."""
    return np.ascontiguousarray(image.transpose(2, 0, 1)[None], "float32")


def openvino(path, image):
    import openvino as ov

    hints = {"INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1, "INFERENCE_PRECISION_HINT": "f32"}
    model = ov.convert_model(path)
    model.reshape(batch_of(image).shape)
    request = ov.Core().compile_model(model, "CPU", hints).create_infer_request()
    inputs = [batch_of(image)]
    return lambda: request.infer(inputs)


def ncnn(path, image):
    import ncnn

    param, weights = to_ncnn(path, batch_of(image).shape)
    net = ncnn.Net()
    net.opt.num_threads = 1
    net.load_param(str(param))
    net.load_model(str(weights))
    inputs = batch_of(image)[0]

    def run():
        with net.create_extractor() as extractor:
            extractor.input(net.input_names()[0], ncnn.Mat(inputs))
            return np.array(extractor.extract(net.output_names()[0])[1])

    return run


def to_ncnn(path, shape, half=False):
    """The two files of pnnx, for inputs of a shape; with weights of half precision or float32."""
    written = [path.with_suffix(f".ncnn.{end}") for end in ("param", "bin")]
    sizes = ",".join(map(str, shape))
    command = [find_program(), path, f"inputshape=[{sizes}]f32", f"fp16={int(half)}"]
    processes.convert(command, "pnnx", written)
    return written


def mnn(path, image):
    import MNN
    import onnx

    written = to_mnn(path)
    graph = onnx.load(path).graph
    names = [[tensor.name for tensor in tensors] for tensors in (graph.input, graph.output)]
    options = ({"numThread": 1, "backend": "CPU", "precision": "high"},)
    network = MNN.nn.load_module_from_file(
        str(written), *names, runtime_manager=MNN.nn.create_runtime_manager(options)
    )
    inputs = batch_of(image)
    inputs = MNN.expr.const(inputs, list(inputs.shape), MNN.expr.NCHW)
    return lambda: network.forward([inputs])[0].read()


def to_mnn(path, code="peer", half=False):
    """The file of MNN's converter, with a `bizCode`; weights as those of `to_ncnn`."""
    written = pathlib.Path(path).with_suffix(".mnn")
    command = [sys.executable, "-P", "-c", CODE, "-f", "ONNX", "--modelFile", path]
    command += ["--MNNModel", written, "--bizCode", code, *(["--fp16"] if half else [])]
    processes.convert(command, "mnnconvert", [written])
    return written
