"""Int8 with quantize and dequantize nodes (Q/DQ), placed as the runtime wants them."""

import pathlib
import tempfile

from keras_ghostnet.export.onnx import graphs
from keras_ghostnet.export.onnx.float_start import float_start
from keras_ghostnet.export.onnx.runtime import arrange
from keras_ghostnet.export.onnx.shared_ranges import shared_ranges
from keras_ghostnet.quiet import quiet

WEIGHTED = ("Conv", "Gemm", "MatMul")
OPERATORS = (*WEIGHTED, "Add", "GlobalAveragePool", "AveragePool")
BATCH = 32


def to_int8(network, calibration, runtime, kept=()):
    """A network whose operators read int8.

    Args:
        network: An `onnx.ModelProto` in float32.
        calibration: Images `(n, height, width, 3)`.
        runtime: `"onnxruntime"` or `"tensorrt"`.
        kept: The names of layers that stay in float.

    Returns:
        An `onnx.ModelProto` with float32 inputs and outputs.
    """
    import onnx
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.quant_utils import add_pre_process_metadata

    with tempfile.TemporaryDirectory() as folder, quiet():
        # By way of files: a network in memory would be changed.
        source, target = (pathlib.Path(folder) / name for name in ("float32.onnx", "int8.onnx"))
        # `tidy` has run the passes of `quant_pre_process`: saying so saves a warning.
        add_pre_process_metadata(network)
        onnx.save(network, source)
        if runtime == "tensorrt":
            placement = _for_tensorrt(QuantType)
        else:
            ranges = shared_ranges(source, _Reader(network, calibration))
            placement = _for_onnx_runtime(QuantType, ranges)
        quantize_static(
            source,
            target,
            _Reader(network, calibration),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
            nodes_to_exclude=[
                *_float_nodes(network, runtime),
                *_nodes_of(network.graph, kept),
            ],
            **placement,
        )
        network = onnx.load(target)
    if runtime == "tensorrt":
        _leave_sums(network.graph)
    return network


def _nodes_of(graph, layers):
    """Names of the nodes of some layers: they begin with those."""
    return [node.name for node in graph.node if node.name.partition("/")[0] in layers]


def _for_onnx_runtime(types, ranges):
    """As its documentation advises for CPUs: activations are unsigned, with zero points.

    It then fuses all operators, without a tensor of floats behind the first of int8. Weights keep
    to 7 bits, as sums of two products of 8 saturate at 16 bits on x86 without VNNI.
    """
    given = {name: [{"rmin": low, "rmax": high}] for name, (low, high) in ranges.items()}
    return {
        "activation_type": types.QUInt8,
        "reduce_range": True,
        "extra_options": {"TensorQuantOverrides": given},
    }


def _for_tensorrt(types):
    """Its rules (NVIDIA, "Working with Quantized Types" in the TensorRT documentation).

    Zero points are 0; activations have one scale, weights one per output channel; inputs of
    weighted operators are quantized, their outputs and biases are not, so that they fuse with the
    activation and the addition that follow; of a residual addition the shortcut is quantized, not
    the convolution's result that it is added to.
    """
    return {
        "activation_type": types.QInt8,
        "op_types_to_quantize": list(OPERATORS),
        "extra_options": {
            "ActivationSymmetric": True,
            "WeightSymmetric": True,
            "QuantizeBias": False,
            "OpTypesToExcludeOutputQuantization": list(OPERATORS),
        },
    }


def _float_nodes(network, runtime):
    """Names of the nodes that stay in float.

    For TensorRT those that it has no int8 for, narrow groups, and additions of a bias.
    """
    if runtime == "onnxruntime":
        return float_start(network)
    sizes = {tensor.name: tensor.dims for tensor in network.graph.initializer}
    return [
        node.name
        for node in network.graph.node
        if (node.op_type == "Conv" and has_narrow_groups(node, sizes[node.input[1]]))
        or (node.op_type == "Add" and not sizes.keys().isdisjoint(node.input))
    ]


def has_narrow_groups(node, kernel):
    """Whether a convolution has groups for which TensorRT has no int8.

    It asks for a multiple of 4 channels in a group, in and out (`NvInfer.h`, `setNbGroups`);
    depthwise convolutions have kernels of their own.

    Args:
        node: The `Conv`.
        kernel: The dimensions of its kernel `(out, in per group, height, width)`.
    """
    groups = {attribute.name: attribute.i for attribute in node.attribute}.get("group", 1)
    if groups == 1 or kernel[1] == 1:
        return False
    return bool(kernel[1] % 4 or kernel[0] // groups % 4)


class _Reader:
    """Calibration images as ONNX Runtime's quantizer asks for them."""

    def __init__(self, network, images):
        (tensor,) = network.graph.input
        shape = [dim.dim_value for dim in tensor.type.tensor_type.shape.dim]
        self._batches = (
            {tensor.name: arrange(images[start : start + BATCH], shape)}
            for start in range(0, len(images), BATCH)
        )

    def get_next(self):
        """The next batch, or None after the last."""
        return next(self._batches, None)


def _leave_sums(graph):
    """Takes Q/DQ away between a convolution and the residual addition of its result."""
    producers = {name: node for node in graph.node for name in node.output}
    for addition in [node for node in graph.node if node.op_type == "Add"]:
        for position, name in enumerate(addition.input):
            dequantize = producers.get(name)
            if dequantize is None or dequantize.op_type != "DequantizeLinear":
                continue
            quantize = producers[dequantize.input[0]]
            summand = producers.get(quantize.input[0])
            if summand is not None and summand.op_type == "Conv":
                addition.input[position] = quantize.input[0]
                break  # the other one is the shortcut, even if it ends in a convolution
    graphs.remove_dead(graph)
