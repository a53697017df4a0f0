"""Half precision: weights and computation in float16."""

import numpy as np

from keras_ghostnet.export.onnx import graphs
from keras_ghostnet.export.onnx.runtime import Session
from keras_ghostnet.quiet import quiet

LARGEST = float(np.finfo("float16").max)  # 65504
IMAGES = 16  # that the activations are checked with


def to_float16(network, calibration=None, float16_inputs=False):
    """A network in float16.

    Args:
        network: An `onnx.ModelProto` in float32.
        calibration: Images `(n, height, width, 3)`; if given, the values of all tensors are
            checked with some of them.
        float16_inputs: Whether inputs and outputs become float16 too. Otherwise they stay
            float32, with a Cast behind the input and one in front of the output.

    Raises:
        ValueError: If a weight or an activation is too large for float16.
    """
    from onnx import numpy_helper
    from onnxruntime.quantization.onnx_model import ONNXModel
    from onnxruntime.transformers.float16 import convert_float_to_float16

    # The converter would clip such weights, without an error.
    for tensor in network.graph.initializer:
        if tensor.data_type == tensor.FLOAT:
            _check("weight", tensor.name, np.abs(numpy_helper.to_array(tensor)).max(initial=0))
    if calibration is not None and len(calibration):
        _check_activations(network, calibration[:IMAGES])
    with quiet():
        network = convert_float_to_float16(network, keep_io_types=not float16_inputs)
    ordered = ONNXModel(network)  # the converter puts its Cast nodes last
    ordered.topological_sort()
    return ordered.model


def _check_activations(network, images):
    pooled = {node.input[0] for node in network.graph.node if node.op_type == "GlobalAveragePool"}
    traced = graphs.check(network)
    known = {tensor.name for tensor in traced.graph.output}
    traced.graph.output.extend(t for t in traced.graph.value_info if t.name not in known)
    session = Session(traced.SerializeToString())
    for name, values in session.run(images).items():
        _check("activation", name, np.abs(values).max())
        if name in pooled:  # some devices add up in float16 what they average
            _check("sum over the image of", name, np.abs(values.sum(axis=(2, 3))).max())


def _check(what, name, largest):
    # Written so that a NaN fails.
    if not largest <= LARGEST:
        raise ValueError(
            f"float16 holds values up to {LARGEST:g}. Found: the {what} {name!r} reaches "
            f"{largest:.3g}. Export as float32, or check images and weights."
        )
