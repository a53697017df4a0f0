"""Everything up to the TensorRT engine; TensorRT itself needs an NVIDIA GPU."""

import importlib.util
import shlex
import sys
import types

import keras
import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from keras_ghostnet.export import onnx as onnx_format
from keras_ghostnet.export import tensorrt
from keras_ghostnet.export.graph import deploy, for_tracing
from keras_ghostnet.export.tensorrt import TensorRTError, check_for_tensorrt, precision
from keras_ghostnet.export.tensorrt.dependencies import import_tensorrt

without_tensorrt = pytest.mark.skipif(
    importlib.util.find_spec("tensorrt") is not None, reason="TensorRT is installed"
)


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    inputs = keras.Input((16, 16, 3))
    x = shortcut = keras.layers.Conv2D(16, 3, activation="relu", name="stem")(inputs)
    x = keras.layers.Conv2D(16, 3, padding="same", groups=2, name="grouped")(x)
    x = keras.layers.ReLU(name="activation")(x)
    x = keras.layers.Conv2D(16, 1, bias_initializer="ones", name="residual")(x)
    x = keras.layers.Add(name="add")([x, shortcut])
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    model = keras.Model(inputs, keras.layers.Dense(4, name="classes")(x))
    return for_tracing(deploy(model))


@pytest.fixture(scope="module")
def path(model, tmp_path_factory):
    """The model as an int8 file."""
    images = np.random.default_rng(0).normal(size=(16, 16, 16, 3)).astype("float32")
    path = tmp_path_factory.mktemp("tensorrt") / "model.onnx"
    onnx_format.export(model, path, "int8", images, layout="NCHW", runtime="tensorrt")
    return path


@pytest.fixture
def network(path):
    return onnx.load(path)


def node_of(network, name):
    (node,) = [node for node in network.graph.node if node.name == name]
    return node


def writer_of(network, name):
    (node,) = [node for node in network.graph.node if name in node.output]
    return node


def constant_of(network, name):
    (tensor,) = [tensor for tensor in network.graph.initializer if tensor.name == name]
    return tensor


def replace_constant(network, name, values):
    constant_of(network, name).CopyFrom(numpy_helper.from_array(values, name))


def weights_of(network, name):
    """The DequantizeLinear of a convolution's weights."""
    return writer_of(network, node_of(network, name).input[1])


def input_of(network, name):
    """The QuantizeLinear of a node's input."""
    dequantize = writer_of(network, node_of(network, name).input[0])
    return writer_of(network, dequantize.input[0])


def test_what_we_write_passes(path, network):
    check_for_tensorrt(network)
    check_for_tensorrt(path)


# One planted mistake each: what it does to the network, and what the check says.


def an_unknown_operator(network):
    node_of(network, "activation/Relu").op_type = "Bernoulli"
    return "Bernoulli activation/Relu: TensorRT has no such operator"


def a_foreign_operator(network):
    node_of(network, "activation/Relu").domain = "com.microsoft"
    return "Relu activation/Relu is of the domain 'com.microsoft'"


def an_opset_that_is_too_new(network):
    network.opset_import[0].version = 23
    return "opset 23: TensorRT 10 reads 9 to 20"


def a_format_that_is_too_new(network):
    network.ir_version = 12
    return "ONNX IR version 12"


def an_open_height(network):
    network.graph.input[0].type.tensor_type.shape.dim[2].dim_param = "height"
    return "'images' is open at axis 2"


def an_integer_beyond_32_bits(network):
    network.graph.initializer.append(numpy_helper.from_array(np.array([1 << 40]), "shape"))
    relu = node_of(network, "activation/Relu")
    relu.op_type = "Reshape"
    relu.input.append("shape")
    return "constant 'shape' (of Reshape activation/Relu) exceeds int32"


def quantization_without_its_other_half(network):
    dequantize = writer_of(network, node_of(network, "stem/Conv").input[0])
    node_of(network, "stem/Conv").input[0] = dequantize.input[0]
    network.graph.node.remove(dequantize)
    return "is not followed by DequantizeLinear"


def dequantization_of_a_float(network):
    dequantize = writer_of(network, node_of(network, "residual/Conv").input[0])
    dequantize.input[0] = "activation/Relu"
    return "reads neither QuantizeLinear nor a constant"


def a_zero_point_that_is_not_zero(network):
    name = input_of(network, "stem/Conv").input[2]
    replace_constant(network, name, np.array(3, "int8"))
    return "is not symmetric: its zero point must be 0"


def unsigned_activations(network):
    name = input_of(network, "stem/Conv").input[2]
    replace_constant(network, name, np.array(0, "uint8"))
    return "is uint8, expected int8"


def another_scale_for_the_way_back(network):
    dequantize = writer_of(network, node_of(network, "stem/Conv").input[0])
    tensor = constant_of(network, dequantize.input[1])
    other = numpy_helper.from_array(2 * numpy_helper.to_array(tensor), "other_scale")
    network.graph.initializer.append(other)
    dequantize.input[1] = "other_scale"
    return "has another scale than QuantizeLinear"


def a_scale_of_zero(network):
    name = input_of(network, "stem/Conv").input[1]
    replace_constant(network, name, np.array(0, "float32"))
    return "needs constant, finite scales above 0"


def activations_with_a_scale_per_channel(network):
    name = input_of(network, "grouped/Conv").input[1]
    replace_constant(network, name, np.ones(16, "float32"))
    return "has a scale per channel; activations have one"


def weights_with_one_scale(network):
    name = weights_of(network, "residual/Conv").input[1]
    replace_constant(network, name, np.array(0.01, "float32"))
    return "Conv residual/Conv has 1 scales for 16 output channels"


def scales_along_the_input_channels(network):
    axis = [a for a in weights_of(network, "residual/Conv").attribute if a.name == "axis"]
    axis[0].i = 1
    return "Conv residual/Conv has its scales along another axis"


def a_float_input_beside_int8_weights(network):
    node_of(network, "residual/Conv").input[0] = "activation/Relu"
    return "Conv residual/Conv reads int8 on one side only"


def a_quantized_bias(network):
    node = weights_of(network, "residual/Conv")
    copy = helper.make_node("DequantizeLinear", [node.input[0], *node.input[1:]], ["b"], "bias_dq")
    network.graph.node.insert(0, copy)
    node_of(network, "residual/Conv").input[2] = "b"
    return "Conv residual/Conv has a quantized bias"


def quantization_in_front_of_an_activation(network):
    parts = input_of(network, "residual/Conv").input[1:]
    position = [node.name for node in network.graph.node].index("activation/Relu")
    for kind, source, target in (
        ("DequantizeLinear", "q", "dq"),
        ("QuantizeLinear", "grouped/Conv", "q"),
    ):
        node = helper.make_node(kind, [source, *parts], [target], f"extra_{kind}")
        network.graph.node.insert(position, node)
    node_of(network, "activation/Relu").input[0] = "dq"
    return "QuantizeLinear extra_QuantizeLinear parts Conv grouped/Conv and Relu activation/Relu"


def groups_without_int8_kernels(network):
    for attribute in node_of(network, "grouped/Conv").attribute:
        if attribute.name == "group":
            attribute.i = 8  # of 2 channels out
    return "Conv grouped/Conv has groups that are no multiple of 4 channels"


MISTAKES = [
    an_unknown_operator,
    a_foreign_operator,
    an_opset_that_is_too_new,
    a_format_that_is_too_new,
    an_open_height,
    an_integer_beyond_32_bits,
    quantization_without_its_other_half,
    dequantization_of_a_float,
    a_zero_point_that_is_not_zero,
    unsigned_activations,
    another_scale_for_the_way_back,
    a_scale_of_zero,
    activations_with_a_scale_per_channel,
    weights_with_one_scale,
    scales_along_the_input_channels,
    a_float_input_beside_int8_weights,
    a_quantized_bias,
    quantization_in_front_of_an_activation,
    groups_without_int8_kernels,
]


@pytest.mark.parametrize("plant", MISTAKES, ids=lambda plant: plant.__name__)
def test_a_planted_mistake_is_found(network, plant):
    message = plant(network)
    with pytest.raises(TensorRTError) as caught:
        check_for_tensorrt(network)
    assert message in str(caught.value)


def test_all_mistakes_are_told_at_once(network):
    messages = [an_open_height(network), a_zero_point_that_is_not_zero(network)]
    with pytest.raises(TensorRTError) as caught:
        check_for_tensorrt(network)
    assert all(message in str(caught.value) for message in messages)


def test_the_command_line(path, tmp_path):
    command = tensorrt.trtexec_command(
        path, tmp_path / "my model.plan", (1, 4, 16), 1 << 31, tmp_path / "timing.cache"
    )
    assert shlex.split(command) == [
        "trtexec",
        f"--onnx={path}",
        f"--saveEngine={tmp_path / 'my model.plan'}",
        "--stronglyTyped",
        "--minShapes=images:1x3x16x16",
        "--optShapes=images:4x3x16x16",
        "--maxShapes=images:16x3x16x16",
        "--memPoolSize=workspace:2048M",
        "--noTF32",
        f"--timingCacheFile={tmp_path / 'timing.cache'}",
    ]
    assert "--noTF32" not in tensorrt.trtexec_command(path, "model.plan", tf32=True)


@pytest.mark.parametrize("batches", [(8, 1, 32), (0, 8, 32), (1, 8)])
def test_batches_that_are_not_in_order(path, batches):
    with pytest.raises(ValueError, match="smallest, the most frequent and the largest"):
        tensorrt.trtexec_command(path, "model.plan", batches)


def test_a_file_for_one_batch_size(network, tmp_path):
    network.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1
    onnx.save(network, tmp_path / "fixed.onnx")
    with pytest.raises(ValueError, match="for batches of 1 only"):
        tensorrt.trtexec_command(tmp_path / "fixed.onnx", "model.plan")


@without_tensorrt
def test_without_tensorrt_nothing_begins(model, path, tmp_path):
    plan = tmp_path / "model.plan"
    plan.write_bytes(b"earlier")
    for attempt in (
        lambda: tensorrt.export(model, plan),
        lambda: tensorrt.build(path, plan),
        lambda: tensorrt.load(plan),
    ):
        with pytest.raises(ImportError, match=r"pip install .*tensorrt-cu13 cuda-python"):
            attempt()
    assert plan.read_bytes() == b"earlier"


def test_an_old_tensorrt_is_refused(monkeypatch):
    """With a stand-in of a version number and no more."""
    old = types.SimpleNamespace(__version__="8.6.1")
    monkeypatch.setitem(sys.modules, "tensorrt", old)
    with pytest.raises(ImportError, match=r"TensorRT 10 or newer.*Found: 8\.6\.1"):
        import_tensorrt()


# Stand-ins for the parsed network and the engine, to see that a lower precision is refused. They
# show nothing of how TensorRT behaves.
STAND_IN = types.SimpleNamespace(
    DataType=types.SimpleNamespace(FLOAT="float", HALF="half", INT8="int8"),
    LayerInformationFormat=types.SimpleNamespace(JSON="json"),
)


def parsed(file, changes):
    """A stand-in for a network in the types of a file, but for some tensors'."""
    kinds = {"FLOAT": "float", "FLOAT16": "half", "INT8": "int8"}
    types_ = {name: kinds[kind] for name, kind in precision._types(file).items()} | changes
    tensors = [types.SimpleNamespace(name=name, dtype=kind) for name, kind in types_.items()]
    layers = [
        types.SimpleNamespace(num_outputs=1, get_output=lambda index, tensor=tensor: tensor)
        for tensor in tensors
    ]
    return types.SimpleNamespace(num_layers=len(layers), get_layer=layers.__getitem__, num_inputs=0)


def test_a_tensor_of_another_type_is_refused(network):
    precision.check_network(STAND_IN, parsed(network, {}), network)
    with pytest.raises(TensorRTError, match="'add/Add' the type half, the file FLOAT"):
        precision.check_network(STAND_IN, parsed(network, {"add/Add": "half"}), network)


@pytest.mark.parametrize(("layers", "fits"), [('{"DataType": "Int8"}', True), ("{}", False)])
def test_an_engine_without_the_precision_is_refused(network, layers, fits):
    inspector = types.SimpleNamespace(get_engine_information=lambda kind: layers)
    engine = types.SimpleNamespace(
        num_io_tensors=2,
        get_tensor_name=["images", "outputs"].__getitem__,
        get_tensor_dtype=lambda name: "float",
        create_engine_inspector=lambda: inspector,
    )
    if fits:
        precision.check_engine(STAND_IN, engine, network)
        return
    with pytest.raises(TensorRTError, match="asks for INT8, but no layer"):
        precision.check_engine(STAND_IN, engine, network)
