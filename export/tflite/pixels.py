"""A float network whose input is bytes."""

import numpy as np

from keras_ghostnet.export.tflite.inspection import schema_module
from keras_ghostnet.export.tflite.packaging import pack


def take_pixels(content):
    """Lets a network of float pixels take them as uint8.

    A DEQUANTIZE of scale 1 is put in front. XNNPACK runs that; it does not run a CAST, which the
    converter would make of it.

    Args:
        content: The bytes of a `.tflite` file with one float32 input.

    Returns:
        The bytes of the file with a uint8 input.
    """
    schema = schema_module()
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    (graph,) = model.subgraphs
    (floats,) = map(int, graph.inputs)
    tensor = schema.TensorT()
    tensor.name, tensor.type = b"pixels", schema.TensorType.UINT8
    tensor.shape, tensor.shapeSignature = graph.tensors[floats].shape, None
    tensor.buffer, tensor.hasRank = 0, True  # buffer 0 is nobody's
    tensor.quantization = schema.QuantizationParametersT()
    tensor.quantization.scale = np.array([1], "float32")
    tensor.quantization.zeroPoint = np.array([0], "int64")
    graph.tensors.append(tensor)
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.DEQUANTIZE
    code.version = 2  # the first one that takes integers of 8 bits
    model.operatorCodes.append(code)
    operator = schema.OperatorT()
    operator.opcodeIndex = len(model.operatorCodes) - 1
    operator.inputs = np.array([len(graph.tensors) - 1], "int32")
    operator.outputs = np.array([floats], "int32")
    graph.operators.insert(0, operator)
    graph.inputs = operator.inputs
    return pack(model)
