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
