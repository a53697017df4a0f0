"""What TensorRT asks of an ONNX file, as far as its documentation says it."""

import numpy as np

from keras_ghostnet.export.contents import ONNX_RUNTIME
from keras_ghostnet.export.onnx.quantize import WEIGHTED, has_narrow_groups

# What every release from TensorRT 10.0 on reads (11.5: up to opset 25).
OPSETS = range(9, 21)
LARGEST_IR = 10

# The operators without restrictions on types that matter here, of the list that NVIDIA keeps with
# its ONNX parser (onnx/onnx-tensorrt, docs/operators.md, release 10.0). Control flow, sequences,
# random numbers and recurrent networks are left out on purpose: no image classifier that can be
# exported for a GPU needs them.
# fmt: off
OPERATORS = frozenset([
    "Abs", "Acos", "Acosh", "Add", "And", "ArgMax", "ArgMin", "Asin", "Asinh", "Atan", "Atanh",
    "AveragePool", "BatchNormalization", "Cast", "Ceil", "Celu", "Clip", "Concat", "Constant",
    "ConstantOfShape", "Conv", "ConvTranspose", "Cos", "Cosh", "CumSum", "DepthToSpace",
    "DequantizeLinear", "Div", "Einsum", "Elu", "Equal", "Erf", "Exp", "Expand", "Flatten",
    "Floor", "Gather", "GatherElements", "GatherND", "Gelu", "Gemm", "GlobalAveragePool",
    "GlobalLpPool", "GlobalMaxPool", "Greater", "GreaterOrEqual", "GroupNormalization",
    "HardSigmoid", "HardSwish", "Identity", "InstanceNormalization", "LayerNormalization",
    "LeakyRelu", "Less", "LessOrEqual", "Log", "LogSoftmax", "LpNormalization", "LpPool", "LRN",
    "MatMul", "Max", "MaxPool", "Mean", "MeanVarianceNormalization", "Min", "Mish", "Mod", "Mul",
    "Neg", "Not", "OneHot", "Or", "Pad", "Pow", "PRelu", "QuantizeLinear", "Range", "Reciprocal",
    "ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean",
    "ReduceMin", "ReduceProd", "ReduceSum", "ReduceSumSquare", "Relu", "Reshape", "Resize",
    "Round", "ScatterElements", "ScatterND", "Selu", "Shape", "Shrink", "Sigmoid", "Sign", "Sin",
    "Sinh", "Size", "Slice", "Softmax", "Softplus", "Softsign", "SpaceToDepth", "Split", "Sqrt",
    "Squeeze", "Sub", "Sum", "Tan", "Tanh", "ThresholdedRelu", "Tile", "TopK", "Transpose",
    "Trilu", "Unsqueeze", "Where", "Xor",
])
# fmt: on


class TensorRTError(ValueError):
    """A network breaks TensorRT's rules. The message lists every place."""


def check_for_tensorrt(network):
    """Checks a network against TensorRT's documented rules, without TensorRT.

    Opset and version of the format; supported operators; one open dimension, the batch; integer
    constants within int32; and for Q/DQ: in pairs, int8, zero points of 0, one scale for an
    activation and one per output channel for weights, on all inputs of a weighted operator or on
    none, not on its bias, not between it and its activation, and not on grouped convolutions
    without int8 kernels.

    Args:
        network: An `onnx.ModelProto`, or the path of a file.

    Raises:
        TensorRTError: If a rule is broken; the message names the nodes and tensors.
    """
    import onnx

    if not isinstance(network, onnx.ModelProto):
        network = onnx.load(network)
    said = {entry.key: entry.value for entry in network.metadata_props}
    if said.get("dtype") == "int8" and said.get(ONNX_RUNTIME, "tensorrt") != "tensorrt":
        raise TensorRTError(
            f"This file is quantized for {said[ONNX_RUNTIME]}, with zero points, which TensorRT "
            'does not take. Export it with --runtime tensorrt (in Python runtime="tensorrt").'
        )
    graph = _Graph(network.graph)
    found = [
        *_versions(network),
        *_operators(graph),
        *_dimensions(graph),
        *_integers(graph),
        *_pairs(graph),
        *_weighted_inputs(graph),
    ]
    if found:
        raise TensorRTError(
            "TensorRT does not take this network, or not as it is meant:\n"
            + "\n".join(f"- {problem}" for problem in found)
        )


class _Graph:
    """A graph with its tensors by name: constants, and who writes and reads them."""

    def __init__(self, graph):
        from onnx import numpy_helper

        self.nodes = graph.node
        self.inputs, self.outputs = graph.input, graph.output
        self.constants = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
        self.writers = {name: node for node in graph.node for name in node.output}
        self.readers = {}
        for node in graph.node:
            for name in node.input:
                self.readers.setdefault(name, []).append(node)

    def writer(self, name, kind):
        """The node of this kind that writes a tensor, or None."""
        node = self.writers.get(name)
        return node if node is not None and node.op_type == kind else None

    def of(self, *kinds):
        return [node for node in self.nodes if node.op_type in kinds]


def _label(node):
    return f"{node.op_type} {node.name or node.output[0]}"


def _versions(network):
    for opset in network.opset_import:
        if opset.domain in ("", "ai.onnx") and opset.version not in OPSETS:
            yield f"opset {opset.version}: TensorRT 10 reads {OPSETS[0]} to {OPSETS[-1]}"
    if network.ir_version > LARGEST_IR:
        yield f"ONNX IR version {network.ir_version}: TensorRT 10 reads up to {LARGEST_IR}"


def _operators(graph):
    for node in graph.nodes:
        if node.domain not in ("", "ai.onnx"):
            yield f"{_label(node)} is of the domain {node.domain!r}, not of ONNX"
        elif node.op_type not in OPERATORS:
            yield f"{_label(node)}: TensorRT has no such operator, or none for images"


def _dimensions(graph):
    for tensor in (*graph.inputs, *graph.outputs):
        dims = tensor.type.tensor_type.shape.dim
        for axis, dim in enumerate(dims):
            if axis > 0 and not dim.HasField("dim_value"):
                yield f"{tensor.name!r} is open at axis {axis}; only the batch, axis 0, may be"


def _integers(graph):
    limits = np.iinfo("int32")
    for name, values in graph.constants.items():
        if values.dtype != "int64" or not values.size:
            continue
        # Slice takes the largest int64 as "to the end", which TensorRT clamps.
        if values.min() < limits.min or values.max() > limits.max:
            readers = ", ".join(map(_label, graph.readers.get(name, [])))
            yield f"the constant {name!r} (of {readers}) exceeds int32"


def _pairs(graph):
    """Q and DQ by themselves: partners, zero points, types, scales."""
    written = {tensor.name for tensor in graph.outputs}
    for node in graph.of("QuantizeLinear"):
        readers = graph.readers.get(node.output[0], [])
        if not readers or any(reader.op_type != "DequantizeLinear" for reader in readers):
            yield f"{_label(node)} is not followed by DequantizeLinear"
        if node.output[0] in written:
            yield f"{_label(node)} is an output of the network"
        yield from _scale(graph, node)
        if graph.constants.get(node.input[1], np.zeros(1)).size > 1:
            yield f"{_label(node)} has a scale per channel; activations have one for the tensor"
    for node in graph.of("DequantizeLinear"):
        quantize = graph.writer(node.input[0], "QuantizeLinear")
        if quantize is None and node.input[0] not in graph.constants:
            yield f"{_label(node)} reads neither QuantizeLinear nor a constant"
        if quantize is not None and not _same_scale(graph, quantize, node):
            yield f"{_label(node)} has another scale than {_label(quantize)}"
        yield from _scale(graph, node)


def _scale(graph, node):
    scale = graph.constants.get(node.input[1])
    if scale is None or not (np.isfinite(scale) & (scale > 0)).all():
        yield f"{_label(node)} needs constant, finite scales above 0"
    if len(node.input) < 3 or not node.input[2]:
        yield f"{_label(node)} has no zero point, so it is uint8"
        return
    zero_point = graph.constants.get(node.input[2])
    if zero_point is None or zero_point.any():
        yield f"{_label(node)} is not symmetric: its zero point must be 0"
    elif zero_point.dtype != "int8":
        yield f"{_label(node)} is {zero_point.dtype}, expected int8"


def _same_scale(graph, one, other):
    return np.array_equal(graph.constants.get(one.input[1]), graph.constants.get(other.input[1]))


def _weighted_inputs(graph):
    """Q/DQ around convolutions and dense layers, in a network that has any."""
    if not graph.of("QuantizeLinear", "DequantizeLinear"):
        return
    for node in graph.of(*WEIGHTED):
        weights = _weights(graph, node)
        dequantized = [bool(graph.writer(name, "DequantizeLinear")) for name in node.input[:2]]
        if (
            weights is not None
            and node.op_type == "Conv"
            and has_narrow_groups(node, weights.shape)
        ):
            if any(dequantized):
                yield f"{_label(node)} has groups that are no multiple of 4 channels: no int8"
            continue
        if dequantized[0] != dequantized[1]:
            yield f"{_label(node)} reads int8 on one side only: input and weights both need Q/DQ"
        elif all(dequantized):
            yield from _per_channel(graph, node, weights)
        if len(node.input) > 2 and graph.writer(node.input[2], "DequantizeLinear"):
            yield f"{_label(node)} has a quantized bias; TensorRT wants it in float"
        yield from _activation(graph, node)


def _weights(graph, node):
    """The constant weights of an operator, behind its DequantizeLinear if there is one."""
    name = node.input[1]
    while name not in graph.constants:
        node = graph.writer(name, "DequantizeLinear") or graph.writer(name, "QuantizeLinear")
        if node is None:
            return None
        name = node.input[0]
    return graph.constants[name]


def _per_channel(graph, node, weights):
    dequantize = graph.writer(node.input[1], "DequantizeLinear")
    scale = graph.constants.get(dequantize.input[1])
    if weights is None or scale is None:
        yield f"{_label(node)}: its weights are not constant"
        return
    attributes = {attribute.name: attribute.i for attribute in (*dequantize.attribute,)}
    transposed = {attribute.name: attribute.i for attribute in node.attribute}.get("transB", 0)
    axis = 0 if node.op_type == "Conv" or transposed else weights.ndim - 1
    if scale.size != weights.shape[axis]:
        yield f"{_label(node)} has {scale.size} scales for {weights.shape[axis]} output channels"
    elif scale.size > 1 and attributes.get("axis", 1) % weights.ndim != axis:
        yield f"{_label(node)} has its scales along another axis than the output channels"


def _activation(graph, node):
    """Q/DQ between an operator and its activation keeps both from becoming one kernel."""
    for quantize in graph.readers.get(node.output[0], []):
        if quantize.op_type != "QuantizeLinear":
            continue
        for dequantize in graph.readers.get(quantize.output[0], []):
            for reader in graph.readers.get(dequantize.output[0], []):
                if reader.op_type in ("Relu", "Clip"):
                    yield f"{_label(quantize)} parts {_label(node)} and {_label(reader)}"
