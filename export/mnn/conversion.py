"""From a deployment model to a `.mnn` file."""

import functools
import pathlib
import re
import sys
import tempfile

from keras_ghostnet import extras
from keras_ghostnet.export import processes
from keras_ghostnet.export.device.mnn_model import HALF
from keras_ghostnet.export.graph import lowering
from keras_ghostnet.export.graph.refusals import UnsupportedOperatorError, naming_layers
from keras_ghostnet.export.half import require_half_range

CONVERTER = "mnnconvert"
# Not by way of `MNN.tools.mnnconvert`, which installs a package and reports what it did to a server
# of its makers.
CODE = "import sys, MNN, _tools; _tools.mnnconvert(sys.argv)"
MAKER = "keras_ghostnet"


def export(model, path, dtype="float32", calibration=None):
    """Writes a `.mnn` file for one image at a time.

    The network takes `images`, float32, channels first, and outputs `outputs`.

    Args:
        model: A Keras model in its deployment form, `for_tracing(deploy(model))`, with one input
            of a fixed image size.
        path: The file to create.
        dtype: `"float32"`, or `"float16"` for weights of half the size. In which precision to
            compute is for the app to say: MNN takes float32 unless it asks for `low` precision.
        calibration: Images `(n, height, width, 3)` as the model sees them in use; for float16, if
            given, every tensor's values are checked against what half precision holds.

    Raises:
        ImportError: If MNN or what ONNX takes is missing.
        ValueError: If MNN does not take a layer; if weights are not finite, or weights or
            activations are too large for float16; if the converter fails.
    """
    extras.require("MNN", "tf2onnx", "onnx", "onnxruntime", purpose="MNN export", extra="mnn")
    from keras_ghostnet.export.onnx import conversion, faults, half
    from keras_ghostnet.export.onnx.single import for_one_image

    model = lowering.lower(model, lowering.for_runtime("mnn", dtype))
    if dtype == "float16":
        require_half_range(model, calibration, sums=True)
    network = conversion.convert(model, "NCHW")
    network = for_one_image(network)
    if dtype == "float16":
        half.round_kernels(network)
    with naming_layers(model, "MNN"):
        faults.write_sound(network, path, "mnn", functools.partial(_write, dtype=dtype))


def _write(network, path, dtype):
    """Converts an ONNX network to a file."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "network.onnx").write_bytes(network.SerializeToString())
        written = folder / "network.mnn"
        command = [sys.executable, "-P", "-c", CODE, "-f", "ONNX"]
        command += ["--modelFile", folder / "network.onnx", "--MNNModel", written]
        command += ["--bizCode", f"{MAKER} {HALF}" if dtype == "float16" else MAKER]
        command += ["--fp16"] if dtype == "float16" else []
        try:
            processes.convert(command, CONVERTER, [written])
        except processes.ConverterError as error:
            raise _unsupported(error.output, network) or error from None
        path.write_bytes(written.read_bytes())


def _unsupported(output, network):
    """What to raise for operators that MNN has not, as its converter lists them; or None."""
    kinds = sorted(set(re.findall(r"ONNX::(\w+)", output)))
    names = [node.name for node in network.graph.node if node.op_type in kinds]
    return UnsupportedOperatorError(f"MNN has no {', '.join(kinds)}", names) if kinds else None
