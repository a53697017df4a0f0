"""ONNX files, run in ONNX Runtime and compared with the Keras model."""

import collections
import hashlib
import pathlib
import re

import keras
import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import numpy_helper

from keras_ghostnet.benchmark.networks.random_weights import settle_batch_norms
from keras_ghostnet.export.graph import deploy, for_tracing
from keras_ghostnet.export.graph.refusals import layer_of
from keras_ghostnet.export.onnx import export, graphs, half, load, quantize
from keras_ghostnet.export.tensorrt import TensorRTError, check_for_tensorrt
from keras_ghostnet.quiet import quiet
from tests.export import stock
from tests.export.networks import NAMES, SHAPE, short_network


@pytest.fixture(scope="module", params=NAMES)
def model(request, images):
    keras.utils.set_random_seed(0)
    with quiet():
        model = stock.randomize_biases(short_network(request.param))
        return settle_batch_norms(model, images, momentum=0.004)


@pytest.fixture(scope="module")
def outputs(model, images):
    return np.asarray(model(images, training=False))


@pytest.fixture(scope="module")
def deployed(model):
    return for_tracing(deploy(model))


@pytest.fixture(scope="module")
def layers(deployed):
    return deployed.layers


@pytest.fixture(scope="module")
def files(deployed, tmp_path_factory):
    """The model as float32 files of the graph as it is: paths by layout."""
    paths = {}
    for layout in ("NHWC", "NCHW"):
        paths[layout] = tmp_path_factory.mktemp("onnx") / f"{layout}.onnx"
        metadata = {"labels": "cat,dog"}
        export(deployed, paths[layout], layout=layout, metadata=metadata, runtime="tensorrt")
    return paths


@pytest.fixture(scope="module")
def float16(files):
    return graphs.check(half.to_float16(onnx.load(files["NHWC"])))


@pytest.fixture(scope="module")
def int8(files, images):
    return graphs.check(quantize.to_int8(onnx.load(files["NCHW"]), images, "tensorrt"))


@pytest.fixture(scope="module")
def small():
    return stock.classifier()


@pytest.fixture(scope="module")
def pictures():
    return stock.pictures()


def operators(network):
    return collections.Counter(node.op_type for node in network.graph.node)


def difference(outputs, reference):
    return np.abs(outputs - reference).max() / reference.std()


def save(network, path):
    onnx.save(network, path)
    return path


@pytest.mark.parametrize("layout", ["NHWC", "NCHW"])
def test_float32_equals_the_model(files, layout, images, outputs):
    """Within rounding: Keras in float32 is itself 1e-5 away from Keras in float64."""
    assert difference(load(files[layout])(images), outputs) < 2e-5


def test_images_of_nan_are_refused(files, images):
    with pytest.raises(ValueError, match=r"finite numbers\. Received: NaN"):
        load(files["NHWC"])(np.full_like(images[:2], np.nan))


@pytest.mark.parametrize("layout", ["NHWC", "NCHW"])
def test_nothing_but_the_network_is_in_the_file(layers, files, layout):
    found = operators(onnx.load(files[layout]))
    expected = collections.Counter(type(layer).__name__ for layer in layers)
    assert found.pop("Transpose", 0) == (layout == "NHWC")
    assert found.pop("Squeeze") == 1
    assert found == {
        "Conv": sum(expected[kind] for kind in ("Conv2D", "DepthwiseConv2D", "GroupedConv2D")),
        "Gemm": expected["Dense"],
        "Relu": found["Relu"],
        "Concat": expected["Concatenate"],
        "Add": expected["Add"],
        "GlobalAveragePool": expected["GlobalAveragePooling2D"],
        **({"Mul": expected["Multiply"], "Clip": found["Clip"]} if expected["Multiply"] else {}),
    }
    assert found["Relu"] + found.get("Clip", 0) == expected["ReLU"]


def test_a_grouped_convolution_is_one_operator(model, layers, files):
    convolutions = {
        node.name: {attribute.name: attribute.i for attribute in node.attribute}.get("group", 1)
        for node in onnx.load(files["NCHW"]).graph.node
        if node.op_type == "Conv"
    }
    grouped = [layer for layer in layers if getattr(layer, "groups", 1) > 1]
    assert {f"{layer.name}/Conv": layer.groups for layer in grouped}.items() <= convolutions.items()
    assert grouped or model.name.startswith("ghostnet")


@pytest.mark.parametrize("layout", ["NHWC", "NCHW"])
def test_the_batch_is_open_and_all_else_is_known(files, layout, images):
    network = onnx.load(files[layout])
    image = SHAPE if layout == "NHWC" else (3, 64, 64)
    (inputs,), (outputs,) = network.graph.input, network.graph.output
    assert (inputs.name, outputs.name) == ("images", "outputs")
    for tensor, shape in ((inputs, image), (outputs, (10,))):
        batch, *dims = tensor.type.tensor_type.shape.dim
        assert batch.dim_param == "batch"
        assert tuple(dim.dim_value for dim in dims) == shape
    shapes = {tensor.name: tensor.type.tensor_type.shape for tensor in network.graph.value_info}
    for node in network.graph.node[:-1]:
        assert all(dim.dim_value for dim in shapes[node.output[0]].dim[1:])
    run = load(files[layout])
    whole = run(images)
    for count in (1, 5):
        np.testing.assert_allclose(run(images[:count]), whole[:count], rtol=1e-4, atol=1e-5)


def test_files_are_valid(files, float16, int8):
    for network in (onnx.load(files["NHWC"]), onnx.load(files["NCHW"]), float16, int8):
        onnx.checker.check_model(network, full_check=True)
        assert [(opset.domain, opset.version) for opset in network.opset_import] == [("", 17)]
        assert network.ir_version == 8


def test_no_constant_is_there_twice(files):
    constants = [t for t in onnx.load(files["NHWC"]).graph.initializer if t.data_type == t.FLOAT]
    hashes = {hashlib.sha256(numpy_helper.to_array(t).tobytes()).digest() for t in constants}
    assert len(hashes) == len(constants)


def test_nodes_and_weights_are_named_after_layers(layers, files):
    graph = onnx.load(files["NHWC"]).graph
    assert {node.name.split("/")[0] for node in graph.node} <= {layer.name for layer in layers}
    weights = {t.name: t for t in graph.initializer if len(t.dims) == 4}
    assert all(name.endswith("/kernel") for name in weights)
    for layer in layers:
        if type(layer) is keras.layers.DepthwiseConv2D:
            kernel = layer.get_weights()[0].transpose(2, 3, 0, 1)
            found = numpy_helper.to_array(weights[f"{layer.name}/kernel"])
            assert np.array_equal(found, kernel)


def test_names_of_layers_that_end_in_numbers():
    layers = {"conv", "conv_1"}
    assert layer_of("m_1/conv_1_1/Squeeze:0", layers) == "conv_1"
    assert layer_of("m_1/conv_1/BiasAdd", layers) == "conv"
    assert layer_of("Conv__7", layers) is None


def test_the_file_says_what_it_is(files):
    network = onnx.load(files["NCHW"])
    assert network.producer_name == "keras_ghostnet"
    properties = {entry.key: entry.value for entry in network.metadata_props}
    expected = {"dtype": "float32", "layout": "NCHW", "runtime": "tensorrt", "labels": "cat,dog"}
    assert properties == expected


def test_float16_computes_in_half_precision(float16, images, outputs, files, tmp_path):
    path = save(float16, tmp_path / "half.onnx")
    assert 1e-5 < difference(load(path)(images), outputs) < 0.1
    assert operators(float16) == operators(onnx.load(files["NHWC"])) + collections.Counter(Cast=2)
    types = {tensor.data_type for tensor in float16.graph.initializer}
    assert onnx.TensorProto.FLOAT not in types
    assert path.stat().st_size < 0.55 * files["NHWC"].stat().st_size


def test_float16_inputs(files, images, outputs, tmp_path):
    network = graphs.check(half.to_float16(onnx.load(files["NCHW"]), float16_inputs=True))
    assert operators(network) == operators(onnx.load(files["NCHW"]))
    for tensor in (*network.graph.input, *network.graph.output):
        assert tensor.type.tensor_type.elem_type == onnx.TensorProto.FLOAT16
    found = load(save(network, tmp_path / "half.onnx"))(images)
    assert found.dtype == "float32"
    assert difference(found, outputs) < 0.1


def test_int8_is_close_to_the_model(int8, images, outputs, tmp_path):
    """As close as TFLite's int8: these networks have seen no training, which int8 rewards."""
    found = load(save(int8, tmp_path / "int8.onnx"))(images)
    cosine = np.vdot(found, outputs) / np.linalg.norm(found) / np.linalg.norm(outputs)
    assert difference(found, outputs) < 1.2
    assert cosine > 0.95


def test_int8_is_smaller(int8, files, tmp_path):
    size = save(int8, tmp_path / "int8.onnx").stat().st_size
    assert size < 0.35 * files["NCHW"].stat().st_size


def test_int8_leaves_float_what_tensorrt_has_no_kernels_for(model, int8):
    """Raw halves of G-GhostNet 002 have groups of 6 channels, full blocks such of 8."""
    writers = {node.output[0]: node for node in int8.graph.node}
    constants = {t.name: tuple(t.dims) for t in int8.graph.initializer}
    groups = {True: set(), False: set()}
    for node in int8.graph.node:
        if node.op_type != "Conv":
            continue
        weights = writers.get(node.input[1])
        name = weights.input[0] if weights else node.input[1]
        groups[weights is not None].add(constants[name][1])
    assert 6 not in groups[True]
    assert groups[False] == ({6} if model.name.startswith("g_ghost") else set())


def test_tensorrt_takes_every_file(files, float16, int8):
    for network in (files["NHWC"], files["NCHW"], float16, int8):
        check_for_tensorrt(network)


@pytest.mark.parametrize("dtype", ["float32", "float16", "int8"])
@pytest.mark.parametrize("layout", ["NHWC", "NCHW"])
def test_stock_layers(small, pictures, dtype, layout, tmp_path):
    path = tmp_path / "small.onnx"
    export(small, path, dtype, pictures, layout, runtime="tensorrt")
    check_for_tensorrt(path)
    tolerance = {"float32": 1e-5, "float16": 1e-2, "int8": 0.1}[dtype]
    run = load(path)
    reference = np.asarray(small(pictures))
    assert difference(run(pictures), reference) < tolerance
    (single,) = run.single(pictures[0])()
    assert difference(single, reference[:1]) < tolerance


def executed(path, folder):
    """The operators that ONNX Runtime makes of a file, in their order."""
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath, options.log_severity_level = str(folder / "run.onnx"), 3
    onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return [node.op_type for node in onnx.load(folder / "run.onnx").graph.node]


def test_int8_for_onnx_runtime(deployed, images, outputs, files, tmp_path):
    """From where int8 begins, everything is fused, and nothing is copied back and forth."""
    path = tmp_path / "int8.onnx"
    export(deployed, path, "int8", images)
    found = executed(path, tmp_path)
    start = found.index("QuantizeLinear")
    assert not [operator for operator in found[:start] if operator.startswith("Q")]
    assert set(found[start:]) <= {
        "DequantizeLinear", "QLinearAdd", "QLinearConcat", "QLinearConv",
        "QLinearGlobalAveragePool", "QLinearMatMul", "QLinearMul", "QGemm", "QuantizeLinear",
        "Reshape", "Squeeze", "Transpose",
    }  # fmt: skip
    assert found.count("QuantizeLinear") == found.count("DequantizeLinear") == 1
    outputs_of = load(path)(images)
    cosine = np.vdot(outputs_of, outputs) / np.linalg.norm(outputs_of) / np.linalg.norm(outputs)
    assert difference(outputs_of, outputs) < 1.2
    assert cosine > 0.95
    assert path.stat().st_size < 0.4 * files["NCHW"].stat().st_size
    with pytest.raises(TensorRTError, match=r"quantized for onnxruntime.*--runtime tensorrt"):
        check_for_tensorrt(path)


def test_float32_for_onnx_runtime(deployed, images, outputs, files, tmp_path):
    """Ghost modules of few maps need no concatenation, which costs copies around it."""
    path = tmp_path / "float32.onnx"
    export(deployed, path)
    assert difference(load(path)(images), outputs) < 2e-5
    before, after = (operators(onnx.load(file)) for file in (files["NHWC"], path))
    assert after["Conv"] == before["Conv"]
    is_ghostnet = deployed.name.startswith("ghostnet")
    assert after["Concat"] < before["Concat"] if is_ghostnet else before["Concat"]


def test_a_residual_addition_is_quantized_at_the_shortcut_alone(small, pictures, tmp_path):
    export(small, tmp_path / "int8.onnx", "int8", pictures, runtime="tensorrt")
    graph = onnx.load(tmp_path / "int8.onnx").graph
    writers = {node.output[0]: node for node in graph.node}
    (addition,) = [node for node in graph.node if node.name == "sum/Add"]
    kinds = sorted(writers[name].op_type for name in addition.input)
    assert kinds == ["Conv", "DequantizeLinear"]


def test_calibration_images_are_left_as_they_are(small, pictures, tmp_path):
    before = pictures.copy()
    export(small, tmp_path / "int8.onnx", "int8", pictures, "NCHW")
    assert np.array_equal(pictures, before)


def test_the_page_s_code_runs(tmp_path, monkeypatch, capsys):
    page = (pathlib.Path(__file__).parents[2] / "docs" / "onnx.md").read_text()
    monkeypatch.chdir(tmp_path)
    names = {}
    for block in re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL):
        exec(block, names)
    command = capsys.readouterr().out.split()
    assert command[0] == "trtexec"
    assert (
        command
        == re.search(r"^trtexec .*?(?=^```)", page, re.M | re.S)[0].replace("\\", "").split()
    )
