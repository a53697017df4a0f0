"""From a deployment model to an ncnn network."""

import functools
import importlib.util
import pathlib
import tempfile

from keras_ghostnet import extras
from keras_ghostnet.export import processes
from keras_ghostnet.export.device.ncnn_model import BIN, PARAM
from keras_ghostnet.export.graph import lowering
from keras_ghostnet.export.graph.refusals import UnsupportedOperatorError, naming_layers
from keras_ghostnet.export.half import require_half_range
from keras_ghostnet.export.ncnn.network import Network

# pnnx' own requirement, PyTorch, takes gigabytes; nothing but its Python module needs it.
INSTALL = 'Install with: pip install "keras_ghostnet[ncnn]" && pip install --no-deps pnnx'
PROGRAM = "pnnx"
SIZES = ("-23300", "-23302")  # parameters of ncnn's Slice: how much, or where


def export(model, path, dtype="float32", calibration=None):
    """Writes a folder with `model.param` and `model.bin`, for one image at a time.

    The network takes `images`, float32, channels first, and outputs `outputs`.

    Args:
        model: A Keras model in its deployment form, `for_tracing(deploy(model))`, with one input
            of a fixed image size.
        path: The folder to create.
        dtype: `"float32"`: the file then forbids half precision, in which ncnn computes by default;
            or `"float16"` for weights of half the size, and computation in half precision where
            the processor can.
        calibration: Images `(n, height, width, 3)` as the model sees them in use; for float16, if
            given, every tensor's values are checked against what half precision holds.

    Raises:
        ImportError: If ncnn, pnnx or what ONNX takes is missing.
        ValueError: If ncnn does not take a layer; if weights are not finite, or weights or
            activations are too large for float16; if the converter fails.
    """
    packages = ("ncnn", PROGRAM, "tf2onnx", "onnx", "onnxruntime")
    extras.require(*packages, purpose="ncnn export", advice=INSTALL)
    from keras_ghostnet.export.onnx import conversion, faults
    from keras_ghostnet.export.onnx.single import for_one_image

    model = lowering.lower(model, lowering.for_runtime("ncnn", dtype))
    if dtype == "float16":
        require_half_range(model, calibration, sums=True)
    network = conversion.convert(model, "NCHW")
    with naming_layers(model, "ncnn"):
        write = functools.partial(_write, size=model.input_shape[1:], dtype=dtype)
        faults.write_sound(for_one_image(network), path, "ncnn", write)


def _write(network, path, size, dtype):
    """Converts an ONNX network of images `(height, width, channels)` to a folder."""
    height, width, channels = size
    shape = f"inputshape=[1,{channels},{height},{width}]f32"
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "network.onnx").write_bytes(network.SerializeToString())
        written = [folder / "network.ncnn.param", folder / "network.ncnn.bin"]
        precision = f"fp16={int(dtype == 'float16')}"
        command = [find_program(), folder / "network.onnx", shape, precision]
        processes.convert(command, PROGRAM, written)
        converted = Network.parse(written[0].read_text("utf-8"))
        _require_known(converted)
        converted.describe_input(width, height, channels)
        converted.fix_shapes()
        if dtype == "float32":
            converted.forbid_half_precision()
        else:
            converted.avoid_faulty_kernels()
        path.mkdir()
        (path / PARAM).write_text(converted.text(), "utf-8")
        (path / BIN).write_bytes(written[1].read_bytes())


def find_program() -> pathlib.Path:
    """Where pnnx' program is; importing its module would import PyTorch."""
    spec = importlib.util.find_spec(PROGRAM)
    assert spec  # export has looked
    assert spec.origin
    folder = pathlib.Path(spec.origin).parent
    return next(folder / name for name in ("pnnx", "pnnx.exe") if (folder / name).is_file())


def _require_known(network):
    """Refuses layers that ncnn has not, or crashes at: pnnx writes what it cannot convert."""
    import ncnn

    cut = [layer.name for layer in network.layers if layer.kind == "Slice" and not layer.has(SIZES)]
    if cut:  # of maps with a fourth dimension, as behind a shuffle of channels
        raise UnsupportedOperatorError("pnnx writes slices without their sizes", cut)

    unknown = {
        layer.name: layer.kind for layer in network.layers if ncnn.layer_to_index(layer.kind) < 0
    }
    if unknown:
        kinds = ", ".join(sorted(set(unknown.values())))
        raise UnsupportedOperatorError(f"ncnn has no {kinds}", unknown)
