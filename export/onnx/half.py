"""Half precision: weights and computation in float16."""

from keras_ghostnet.quiet import quiet


def to_float16(network, float16_inputs=False):
    """A network in float16.

    Args:
        network: An `onnx.ModelProto` in float32 whose values float16 holds.
        float16_inputs: Whether inputs and outputs become float16 too. Otherwise they stay
            float32, with a Cast behind the input and one in front of the output.
    """
    from onnxruntime.quantization.onnx_model import ONNXModel
    from onnxruntime.transformers.float16 import convert_float_to_float16

    with quiet():
        network = convert_float_to_float16(network, keep_io_types=not float16_inputs)
    ordered = ONNXModel(network)  # the converter puts its Cast nodes last
    ordered.topological_sort()
    return ordered.model


def round_kernels(network):
    """Rounds kernels to what float16 holds, in place: MNN's converter would cut digits off."""
    from onnx import numpy_helper

    kernels = {node.input[1] for node in network.graph.node if node.op_type in ("Conv", "Gemm")}
    for tensor in network.graph.initializer:
        if tensor.name in kernels:
            rounded = numpy_helper.to_array(tensor).astype("float16").astype("float32")
            tensor.CopyFrom(numpy_helper.from_array(rounded, tensor.name))
