"""What a process of its own does: ONNX in, IR out, quantized if it is to be."""

import pathlib
import re

import numpy as np

from keras_ghostnet.export.openvino import libraries
from keras_ghostnet.export.openvino.runtime import SECTION, XML

MAX_DROP = 0.01  # of the accuracy on calibration images, at which layers are taken back to float


def write(source, path, dtype, information):
    """Writes the IR file of an ONNX file.

    Args:
        source: The path of the ONNX file; beside it, for int8, `images.npy` to calibrate with and,
            if their classes are known, `classes.npy`.
        path: The folder to create.
        dtype: `"float32"` or `"int8"`.
        information: Texts by name that the file carries as `model_info`.
    """
    openvino, source = libraries.load("openvino"), pathlib.Path(source)
    model = _read(openvino, source)
    model.reshape([1, *model.inputs[0].partial_shape[1:]])
    if dtype == "int8":
        model = quantize(model, source.parent)
    model.inputs[0].node.layout = openvino.Layout("NHWC")
    for name, value in information.items():
        model.set_rt_info(value, [SECTION, name])
    pathlib.Path(path).mkdir()
    openvino.save_model(model, pathlib.Path(path) / XML, compress_to_fp16=False)


def _read(openvino, source):
    """The model of an ONNX file; of operators that OpenVINO lacks, the error names the nodes."""
    try:
        return openvino.Core().read_model(source)
    except RuntimeError as error:
        import onnx

        lacking = set(re.findall(r"(\w+)-\d+", str(error)))
        nodes = onnx.load(source).graph.node
        found = [node.name for node in nodes if node.op_type in lacking]
        if not found:
            raise
        raise ValueError(f"there is no {', '.join(sorted(lacking))}, as in {found[0]}") from error


def quantize(model, folder):
    """An `openvino.Model` in int8, all of whose weights use seven of the eight bits.

    On x86 without VNNI OpenVINO adds products in pairs of 16 bits, which overflow with eight; the
    same file is to compute the same everywhere.

    Args:
        model: One in float32.
        folder: That of `images.npy` and, if they are known, `classes.npy`.
    """
    nncf = libraries.load("nncf")
    images = np.load(folder / "images.npy").astype("float32")
    calibration = nncf.Dataset(list(images[:, None]))
    overflow = nncf.OverflowFix.ENABLE  # of its own accord NNCF spares the first layer alone
    # Of its own accord NNCF takes the mean of the images' extremes, and cuts off what is beyond.
    ranges = nncf.quantization.range_estimator.RangeEstimatorParametersSet.MINMAX
    parameters = nncf.AdvancedQuantizationParameters(
        overflow_fix=overflow, activations_range_estimator_params=ranges
    )
    if not (folder / "classes.npy").exists():
        return nncf.quantize(
            model, calibration, subset_size=len(images), advanced_parameters=parameters
        )
    classes = np.load(folder / "classes.npy")

    def accuracy(network, pairs):
        right = [network(image)[0].argmax() == label for image, label in pairs]
        return float(np.mean(right)), right

    return nncf.quantize_with_accuracy_control(
        model,
        calibration_dataset=calibration,
        validation_dataset=nncf.Dataset(list(zip(images[:, None], classes, strict=True))),
        validation_fn=accuracy,
        max_drop=MAX_DROP,
        subset_size=len(images),
        advanced_quantization_parameters=parameters,
    )
