"""ncnn and MNN: what they compute, what is refused, and what their files say."""

import contextlib
import shutil
import subprocess
import sys

import keras
import numpy as np
import pytest

from keras_ghostnet import extras, files
from keras_ghostnet.export import (
    ArtifactError,
    contents,
    formats,
    predict,
    processes,
    sandbox,
    sidecar,
)
from keras_ghostnet.export import verify as verify_folder
from keras_ghostnet.export.device import mnn_model, ncnn_model, run
from keras_ghostnet.export.formats import export_model, get_format, write
from keras_ghostnet.export.graph import deploy, for_tracing
from keras_ghostnet.export.mnn.inspection import weights_type
from keras_ghostnet.export.ncnn import conversion
from keras_ghostnet.export.ncnn.network import Network
from keras_ghostnet.export.onnx import faults
from keras_ghostnet.export.onnx.single import for_one_image
from keras_ghostnet.export.verification import compare
from tests.export.command import export

NAMES = ("ncnn_fp32", "ncnn_fp16", "mnn_fp32", "mnn_fp16")
HALF = NAMES[1::2]
PACKAGES = {"ncnn": "ncnn", "mnn": "MNN"}
MODULES = {"ncnn": ncnn_model, "mnn": mnn_model}


@pytest.fixture(scope="module")
def converted(model, images, tmp_path_factory):
    """The families in half precision, of the thorough tests: a dict of names and paths."""
    folder = tmp_path_factory.mktemp("mobile")
    deployed, paths = for_tracing(deploy(model)), {}
    for name in HALF:
        fmt = get_format(name)
        paths[name] = folder / f"{model.name}{fmt.suffix}"
        write(deployed, fmt, paths[name], images[:4])
    return paths


@pytest.fixture(scope="module")
def folder(run_dir, tmp_path_factory):
    """Artifacts of the command, verified."""
    out = tmp_path_factory.mktemp("mobile-exports")
    assert export(run_dir, out, names=",".join(NAMES)) == 0
    return out


@pytest.mark.parametrize("name", HALF)
def test_artifacts_compute_the_same(name, converted, model, images, reference):
    fmt = get_format(name)
    result = compare(formats.load(converted[name], fmt)(images), reference.outputs, None, fmt)
    assert result.max_error < 0.03
    assert result.cosine > 0.9999
    assert files.size(converted[name]) < 0.6 * 4 * model.count_params()


@pytest.mark.parametrize("name", NAMES[::2])
def test_float32_is_exact(name, folder, small):
    fmt = get_format(name)
    images = np.random.default_rng(0).normal(size=(8, 32, 32, 3)).astype("float32")
    found = formats.load(folder / f"small{fmt.suffix}", fmt)(images)
    result = compare(found, small.predict(images, verbose=0), None, fmt)
    assert result.max_error < 2e-5


@pytest.mark.parametrize("module", MODULES)
def test_a_first_layer_in_place(module, tmp_path):
    """What normalizes its images itself begins so: ncnn crashed."""
    inputs = keras.Input((18, 22, 3))
    x = keras.layers.Rescaling(1 / 127.5, -1)(inputs)
    x = keras.layers.Conv2D(4, 3, strides=2, activation="swish")(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    model = keras.Model(inputs, keras.layers.Dense(5, activation="softmax")(x), name="small")
    fmt = get_format(f"{module}_fp32")
    path = export_model(model, fmt, tmp_path)
    pixels = np.random.default_rng(0).uniform(0, 255, (2, *model.input_shape[1:])).astype("float32")
    with contextlib.closing(sandbox.Sandbox(path, fmt.module)) as runner:
        np.testing.assert_allclose(runner(pixels), model(pixels), atol=1e-6)


@pytest.mark.parametrize("module", MODULES)
def test_any_precision_in_float32(module, folder, small):
    """Half precision can be forbidden: what is left is the rounding of the weights."""
    fmt = get_format(f"{module}_fp16")
    images = np.random.default_rng(0).normal(size=(8, 32, 32, 3)).astype("float32")
    found = MODULES[module].Model(folder / f"small{fmt.suffix}", precision="float32")(images)
    assert compare(found, np.asarray(small(images)), None, fmt).max_error < 0.008


def test_the_text_of_an_ncnn_network(folder):
    """Named, of a known size, and float32 by itself.

    Without layers that only move values, but for blocks of channels in front of a concatenation.
    """
    for name, mask in (("small_fp16.ncnn", None), ("small_fp32.ncnn", "7")):
        path = folder / name
        network = Network.parse((path / ncnn_model.PARAM).read_text())
        first, last = network.layers[0], network.layers[-1]
        assert (first.kind, first.outputs, last.outputs) == ("Input", ["images"], ["outputs"])
        assert [first.parameters[key] for key in "012"] == ["32", "32", "3"]
        kinds = {layer.kind for layer in network.layers}
        assert not kinds & {"Flatten", "Gemm", "Permute", "Squeeze"}
        assert all(layer.crops_channels() for layer in network.layers if layer.kind == "Crop")
        assert not any('"' in layer.text() for layer in network.layers)
        masks = {layer.parameters.get("31") for layer in network.layers}
        assert masks == {mask}


def test_the_types_of_mnn_weights(folder):
    assert weights_type(folder / "small_fp16.mnn") == "float16"
    assert weights_type(folder / "small_fp32.mnn") == "float32"


@pytest.mark.parametrize("module", MODULES)
def test_runners_of_all_runtimes_are_alike(module, folder):
    model = run.open_model(folder / f"small_fp16.{module}")
    images = np.random.default_rng(0).normal(size=(3, 32, 32, 3)).astype("float32")
    assert (model.input_shape, model.dtype, model.step) == ((32, 32, 3), np.float32, 0)
    assert model.runtime == module
    assert model.version.startswith(PACKAGES[module])
    outputs = model(images[:2])
    np.testing.assert_array_equal(model.single(images[1])(), outputs[1:])
    with pytest.raises(ValueError, match=r"images of shape \(n, 32, 32, 3\)"):
        model(images[:, :16])
    with pytest.raises(ValueError, match="finite numbers"):
        model(np.full_like(images[:1], np.nan))


def test_the_command_exports_verifies_and_predicts(folder):
    results = verify_folder(folder)
    assert {result.format for result in results} == set(NAMES)
    content = sidecar.read(folder / "small_fp16.ncnn.json")
    assert content["inputs"] == [{"name": "images", "shape": [1, 3, 32, 32], "dtype": "float32"}]
    assert content["outputs"] == [{"name": "outputs", "shape": [1, 2], "dtype": "float32"}]
    assert content["versions"]["pnnx"]
    pixels = np.zeros((1, 32, 32, 3), "uint8")
    expected = predict(folder / "small.keras", pixels)[0].classes
    (found,) = predict(folder / "small_fp32.ncnn", pixels)
    np.testing.assert_allclose(
        [probability for _, probability in found.classes],
        [probability for _, probability in expected],
        rtol=1e-4,
    )


def test_what_is_changed_in_a_folder_is_found(folder, tmp_path):
    """A weight, and a claim of another precision."""
    copied = shutil.copytree(
        folder, tmp_path / "copied", ignore=shutil.ignore_patterns("small_fp32*")
    )
    weights = copied / "small_fp16.ncnn" / ncnn_model.BIN
    content = bytearray(weights.read_bytes())
    content[20] ^= 255
    weights.write_bytes(content)
    swapped = copied / "small_fp16.mnn"
    shutil.copy(folder / "small_fp32.mnn", swapped)
    said = sidecar.read(sidecar.path_of(swapped))
    sidecar.write(swapped, said, sidecar.path_of(swapped))
    with pytest.raises(ArtifactError) as error:
        verify_folder(copied)
    errors = {result.format: result.error for result in error.value.results if result.error}
    assert set(errors) == {"ncnn_fp16", "mnn_fp16"}
    assert "is not the file that was exported" in errors["ncnn_fp16"]
    assert "its sidecar says that precision is 'float16'. Found: 'float32'" in errors["mnn_fp16"]


def toy(operation=None, use_bias=True):
    keras.utils.set_random_seed(0)
    inputs = keras.Input((16, 16, 3))
    x = keras.layers.Conv2D(4, 3, name="first")(inputs)
    x = operation(x) if operation else x
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    outputs = keras.layers.Dense(2, use_bias=use_bias, name="predictions")(x)
    return keras.Model(inputs, outputs, name="toy")


CHANNELS, COLUMNS = "-233,-233,-8", "-233,-1,-233"  # of which layers of NETWORK leave some out
NETWORK = """7767517
4 4
Input images 0 1 images 0={width} 1=64 2=8
ConvolutionDepthWise first 1 1 images a 0=8 1={size} 11={size} 2=1 3={stride} 4={pad} 5=0 6=72 7=8
Crop crop 1 1 a b -23310=3,{crop} -23311=3,1,2,0 -23309=3,0,0,0
ConvolutionDepthWise second 1 1 b outputs 0={channels} 1=3 11=3 3=2 4=1 5=0 6=72 7={channels}
"""


@pytest.mark.parametrize(
    ("width", "size", "stride", "channels", "crop", "masked"),
    [
        (28, 3, 1, 8, CHANNELS, ["second"]),  # rows of 28 and 14 pixels
        (28, 3, 2, 8, CHANNELS, ["first", "second"]),  # of 14 and 7
        (28, 5, 2, 8, CHANNELS, ["second"]),
        (32, 3, 2, 8, CHANNELS, []),  # of 16 and 8
        (32, 3, 2, 8, COLUMNS, ["second"]),  # of 16 and of what is not known
        (28, 3, 1, 12, CHANNELS, []),  # no blocks of 8 channels
    ],
)
def test_a_faulty_kernel_of_ncnn_is_avoided(width, size, stride, channels, crop, masked):
    """Where two pixels are left of a row, half precision reads from another row on ARM."""
    values = dict(
        width=width, size=size, stride=stride, pad=size // 2, channels=channels, crop=crop
    )
    network = Network.parse(NETWORK.format(**values))
    network.avoid_faulty_kernels()
    found = [layer.name for layer in network.layers if layer.parameters.get("31") == "1"]
    assert found == masked


def test_widths_behind_pooling_and_activations():
    """Of layers with any parameters. What is not known is computed in float32."""
    network = Network.parse(
        "7767517\n4 4\nInput images 0 1 images 0=64 1=64 2=8\n"
        "Pooling pool 1 1 images a 0=0 1=3 2=2 3=1 5=1\nHardSwish act 1 1 a b 0=0.166667\n"
        "Pooling mean 1 1 b outputs 0=1 4=1\n"
    )
    assert network.widths() == {"images": 64, "a": 32, "b": 32, "outputs": None}


def test_an_operator_that_ncnn_lacks_is_named(tmp_path):
    model = toy(lambda x: keras.ops.tile(x, (1, 2, 2, 1)))
    with pytest.raises(ValueError, match=r"converted to ncnn: ncnn has no .*torch\.tile"):
        export_model(model, get_format("ncnn_fp32"), tmp_path)
    assert not list(tmp_path.iterdir())


def halves(x):
    """Slices as ShuffleNetV2 has them, at which ncnn ends with a segmentation fault."""
    size, channels = x.shape[1:3], x.shape[-1]
    x = keras.ops.reshape(x, (-1, *size, 2, channels // 2))
    x = keras.ops.transpose(x, (0, 1, 2, 4, 3))
    one, other = keras.ops.split(x, 2, axis=3)
    return keras.ops.reshape(keras.ops.add(one, other), (-1, *size, channels // 2))


def test_slices_that_crash_ncnn_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"converted to ncnn: pnnx writes slices without"):
        export_model(toy(halves), get_format("ncnn_fp32"), tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_crash_of_a_runtime_names_the_operator(tmp_path, monkeypatch):
    monkeypatch.setattr(conversion, "_require_known", lambda network: None)
    with pytest.raises(ValueError, match=r"at its operator Split, its runtime crashed \(SIGSEGV\)"):
        export_model(toy(halves), get_format("ncnn_fp32"), tmp_path)
    assert not list(tmp_path.iterdir())


def test_outputs_that_are_not_finite_name_the_layer(tmp_path):
    """ncnn raises e to what it takes; where the model is not finite itself, nothing is at fault."""
    soft = keras.layers.Activation("softplus", name="soft")
    with pytest.raises(ValueError, match=r"'soft' \(Activation\) .* Softplus, .* no finite number"):
        export_model(toy(lambda x: soft(1e3 * x)), get_format("ncnn_fp32"), tmp_path)
    assert not list(tmp_path.iterdir())
    root = toy(lambda x: keras.ops.sqrt(-1 - keras.ops.square(x)))
    assert export_model(root, get_format("ncnn_fp32"), tmp_path).exists()


def test_any_faulty_node_is_found(small):
    """Behind branches, too."""
    from keras_ghostnet.export.onnx.conversion import convert

    network = for_one_image(convert(for_tracing(deploy(small)), "NCHW"))
    names = [node.name for node in network.graph.node]
    for culprit in names:
        fails = lambda part: culprit in [node.name for node in part.graph.node]  # noqa: B023
        assert faults.first_faulty(network, fails).name == culprit
    assert len(names) > 20


def test_a_converter_that_crashes(tmp_path):
    """As pnnx does at this one; its last words are shown, and nothing is left."""
    model = toy(lambda x: keras.ops.sort(x, axis=1))
    with pytest.raises(ValueError, match=r"'sort' \(Sort\) .* pnnx crashed \(SIG.* last: "):
        export_model(model, get_format("ncnn_fp32"), tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_converter_that_writes_nothing(tmp_path):
    code = [sys.executable, "-c", "print('one'); print('\\x1b[31mtwo')"]
    with pytest.raises(processes.ConverterError, match=r"wrote no network; .* last: one \| two$"):
        processes.convert(code, "it", [tmp_path / "network.mnn"])


def test_what_a_converter_leaves_where_it_runs_is_removed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    left = "open('left', 'w').close()"
    processes.convert([sys.executable, "-c", f"{left}; open({str(tmp_path / 'it')!r}, 'w')"], "it")
    assert [path.name for path in tmp_path.iterdir()] == ["it"]


@pytest.mark.parametrize("name", ["ncnn_fp16", "mnn_fp16"])
def test_what_half_precision_does_not_hold_is_named(name, tmp_path):
    model, images = toy(lambda x: 1e5 * x), np.ones((4, 16, 16, 3), "float32")
    with pytest.raises(ValueError, match=r"up to 65504\. Found: the activation"):
        export_model(model, get_format(name), tmp_path, images)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("name", "advice"), [("ncnn_fp16", "--no-deps pnnx"), ("mnn_fp32", "mnn")])
def test_a_missing_package(name, advice, tmp_path, monkeypatch):
    find = extras.importlib.util.find_spec
    hidden = {"pnnx", "MNN"}
    monkeypatch.setattr(
        extras.importlib.util, "find_spec", lambda x, *rest: None if x in hidden else find(x, *rest)
    )
    with pytest.raises(ImportError, match=rf"which is not installed\. .*{advice}"):
        export_model(toy(), get_format(name), tmp_path)
    with pytest.raises(ImportError, match=rf"which is not installed\. .*{advice}"):
        formats.require_packages(get_format(name))


@pytest.mark.parametrize("module", MODULES)
def test_damaged_files(module, folder, tmp_path):
    """Cut, of another kind, and of another version: in one line, and in a process of their own."""
    fmt = get_format(f"{module}_fp32")
    path = tmp_path / f"model{fmt.suffix}"
    for content in (b"", b"7767517\n1 1\nFoo images 0 1 images\n", bytes(5000)):
        if module == "ncnn":
            path.mkdir(exist_ok=True)
            (path / ncnn_model.PARAM).write_bytes(content)
            (path / ncnn_model.BIN).write_bytes(content)
        else:
            path.write_bytes(content)
        with pytest.raises(sandbox.SandboxError, match=rf"model_fp32\.{module} is not run: ") as at:
            sandbox.Sandbox(path, module, (32, 32))
        assert "\n" not in str(at.value)


def test_a_device_s_script_runs_them(folder, tmp_path):
    """Beside each other, as they are copied to a device."""
    for module in (run, ncnn_model, mnn_model):
        (tmp_path / f"{module.__name__.rpartition('.')[2]}.py").write_text(
            open(module.__file__).read()  # noqa: SIM115
        )
    images = np.random.default_rng(0).normal(size=(3, 32, 32, 3)).astype("float32")
    np.save(tmp_path / "images.npy", images)
    for name in ("small_fp32.ncnn", "small_fp32.mnn"):
        command = [sys.executable, "-I", tmp_path / "run.py", folder / name]
        rest = ["--inputs", tmp_path / "images.npy", "--outputs", tmp_path / "out.npz"]
        subprocess.run([*command, *rest], check=True, capture_output=True)
        expected = run.open_model(folder / name)(images)
        with np.load(tmp_path / "out.npz") as found:
            np.testing.assert_allclose(found["outputs"], expected, rtol=1e-5, atol=1e-6)
        done = subprocess.run([*command, "--time", "--calls", "3"], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert name in done.stdout
    (tmp_path / "mnn_model.py").unlink()
    done = subprocess.run([*command, "--time"], capture_output=True, text=True)
    assert done.returncode == 1
    assert "mnn_model.py is missing. Copy it there." in done.stderr


def test_one_image_is_all_that_changes_in_onnx():
    """Flatten and Gemm compute what Squeeze and MatMul do."""
    from keras_ghostnet.export.onnx import conversion
    from keras_ghostnet.export.onnx.runtime import Session

    network = conversion.convert(for_tracing(deploy(toy(use_bias=False))), "NCHW")
    image = np.random.default_rng(0).normal(size=(1, 16, 16, 3)).astype("float32")
    (before,) = Session(network.SerializeToString()).run(image).values()
    single = for_one_image(network)
    assert [node.op_type for node in single.graph.node][-2:] == ["Flatten", "Gemm"]
    (after,) = Session(single.SerializeToString()).run(image).values()
    np.testing.assert_allclose(after, before, rtol=1e-5, atol=1e-6)


def test_other_files_in_a_folder(converted, tmp_path):
    """Files that nothing proves, such as programs."""
    folder = shutil.copytree(converted["ncnn_fp16"], tmp_path / "copied.ncnn")
    (folder / "install.sh").write_text("echo")
    with pytest.raises(ValueError, match=r"copied.ncnn holds 'install.sh', which no export puts"):
        contents.describe(folder)
