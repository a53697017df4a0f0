"""Whether TensorRT computes in the types that the ONNX file gives, as far as its API tells."""

from keras_ghostnet.export.tensorrt.inspection import TensorRTError

# How the engine inspector of TensorRT 10 and 11 names them, in small letters.
NAMES = {"FLOAT16": ("half", "fp16"), "INT8": ("int8",)}


def check_network(trt, network, file):
    """Compares the parsed network's tensors with the file's of the same name.

    Args:
        trt: The `tensorrt` module.
        network: A parsed `INetworkDefinition`.
        file: The `onnx.ModelProto` it was parsed from.

    Raises:
        TensorRTError: If one has another type; the message names it.
    """
    types = _types(file)
    layers = (network.get_layer(index) for index in range(network.num_layers))
    tensors = [layer.get_output(i) for layer in layers for i in range(layer.num_outputs)]
    tensors += [network.get_input(index) for index in range(network.num_inputs)]
    _compare(trt, types, {tensor.name: tensor.dtype for tensor in tensors})


def check_engine(trt, engine, file):
    """Compares the built engine's inputs and outputs, and the types it computes in.

    Args:
        trt: The `tensorrt` module.
        engine: An `ICudaEngine` built with detailed profiling verbosity.
        file: The `onnx.ModelProto` it was built from.

    Raises:
        TensorRTError: If an input or output has another type, or if no layer computes in a type
            that the file asks for.
    """
    types = _types(file)
    names = [engine.get_tensor_name(index) for index in range(engine.num_io_tensors)]
    _compare(trt, types, {name: engine.get_tensor_dtype(name) for name in names})
    inspector = engine.create_engine_inspector()
    layers = inspector.get_engine_information(trt.LayerInformationFormat.JSON).lower()
    for kind, spellings in NAMES.items():
        if kind in types.values() and not any(name in layers for name in spellings):
            raise TensorRTError(f"The file asks for {kind}, but no layer of the engine has it.")


def _types(file):
    """`"FLOAT"`, `"FLOAT16"` or `"INT8"` by the names of the file's tensors."""
    import onnx

    graph = onnx.shape_inference.infer_shapes(file).graph
    types = {
        tensor.name: onnx.TensorProto.DataType.Name(tensor.type.tensor_type.elem_type)
        for tensor in (*graph.input, *graph.output, *graph.value_info)
    }
    return {name: kind for name, kind in types.items() if kind in ("FLOAT", *NAMES)}


def _compare(trt, expected, found):
    kinds = {
        trt.DataType.FLOAT: "FLOAT",
        trt.DataType.HALF: "FLOAT16",
        trt.DataType.INT8: "INT8",
    }
    for name, dtype in found.items():
        if name in expected and kinds.get(dtype) != expected[name]:
            raise TensorRTError(
                f"TensorRT gives {name!r} the type {dtype}, the file {expected[name]}."
            )
