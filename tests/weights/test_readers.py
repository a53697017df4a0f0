"""The readers against files of the real PyTorch, Paddle and Keras, and against our own writers."""

import collections
import pathlib
import pickle
import subprocess
import sys

import h5py
import keras
import ml_dtypes
import numpy as np
import pytest
import safetensors.numpy

from keras_ghostnet.weights.readers import read_checkpoint
from tests.weights import checkpoint_files as files

DATA = pathlib.Path(__file__).parent / "data"
BFLOAT16 = np.dtype(ml_dtypes.bfloat16)

WRITERS = {
    "torch zip": (files.write_torch_zip, "torch"),
    "torch legacy": (files.write_torch_legacy, "torch"),
    "paddle 2": (lambda path, tensors: files.write_paddle(path, tensors, 2), "paddle"),
    "paddle 4": (lambda path, tensors: files.write_paddle(path, tensors, 4), "paddle"),
    "keras 2": (files.write_keras2_h5, "keras2_h5"),
    "safetensors": (
        lambda path, tensors: safetensors.numpy.save_file(tensors, path),
        "safetensors",
    ),
}


def ramp(shape, start=0):
    """The rule of `data/make_files.py`."""
    return (start + 0.5 * np.arange(np.prod(shape, dtype=int))).reshape(shape)


def torch_state():
    """The values of `data/make_files.py`'s state_dict."""
    base = ramp((4, 6)).astype("float32")
    return {
        "parameter": ramp((2, 3)).astype("float32"),
        "transposed": base.T,
        "window": base[1:3, 2:5],
        "stepped": base[::2, 1],
        "double": ramp((3,)),
        "half": ramp((2, 2)).astype("float16"),
        "bfloat": ramp((2, 2)).astype(BFLOAT16),
        "scalar": np.float32(2.5),
        "empty": np.zeros((0, 3), "float32"),
        "num_batches_tracked": np.int64(7),
        "mask": np.array([True, False]),
    }


def tensors_of_many_types():
    """Names like those of a Keras 2 file, so that every writer takes them."""
    return {
        "stem/conv/kernel:0": ramp((3, 3, 2, 4)).astype("float32"),
        "stem/conv/bias:0": ramp((4,), -1).astype("float64"),
        "head/half:0": ramp((2, 2)).astype("float16"),
        "head/steps:0": np.arange(3),
        "head/scalar:0": np.array(2.5, "float32"),
    }


def assert_holds(checkpoint, expected):
    """Compares names, types, shapes and values."""
    assert set(checkpoint.tensors) == set(expected)
    for name, value in expected.items():
        tensor, value = checkpoint.tensors[name], np.asarray(value)
        assert (tensor.dtype, tensor.shape) == (value.dtype, value.shape), name
        assert tensor.dtype.isnative, name
        np.testing.assert_array_equal(tensor, value, err_msg=name)


# ------------------------------------------------------------------ files of the real programs


@pytest.mark.parametrize("name", ["torch_zip.pth", "torch_legacy.pth", "torch_training.pth"])
def test_real_torch(name):
    checkpoint = read_checkpoint(DATA / name)
    assert checkpoint.format == "torch"
    assert checkpoint.path == str(DATA / name)
    assert_holds(checkpoint, torch_state())


def test_real_torch_moving_average_comes_first():
    expected = {"parameter": 2 * ramp((2, 3)).astype("float32")}
    assert_holds(read_checkpoint(DATA / "torch_ema.pth"), expected)


def test_real_torch_untyped_storage():
    expected = {"counts": np.array([1, 2, 2**32 - 1], "uint32")}
    assert_holds(read_checkpoint(DATA / "torch_untyped.pth"), expected)


@pytest.mark.parametrize("protocol", [2, 4])
def test_real_paddle(protocol):
    checkpoint = read_checkpoint(DATA / f"paddle_state_{protocol}.pdparams")
    assert checkpoint.format == "paddle"
    weight, bias = ramp((2, 3)).astype("float32"), ramp((3,), 5).astype("float32")
    assert_holds(checkpoint, {"weight": weight, "bias": bias})


@pytest.mark.parametrize("protocol", [2, 4])
def test_real_paddle_raw_tensors(protocol):
    expected = {
        "float": ramp((2, 3)).astype("float32"),
        "double": ramp((3,)),
        "half": ramp((2, 2)).astype("float16"),
        "bfloat": ramp((2, 2)).astype(BFLOAT16),
        "count": np.int64(7),
    }
    assert_holds(read_checkpoint(DATA / f"paddle_raw_{protocol}.pdparams"), expected)


@pytest.fixture(scope="module")
def keras_model():
    model = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(3), keras.layers.Dropout(0.2, name="drop")]
    )
    model.compile("adam", "mse", metrics=["mae"])
    model.fit(np.ones((2, 4)), np.ones((2, 3)), verbose=0)
    return model


@pytest.mark.parametrize(
    ("name", "format_name"), [("a.weights.h5", "keras3_h5"), ("a.keras", "keras3_archive")]
)
def test_real_keras_3_without_optimizer_and_seeds(keras_model, tmp_path, name, format_name):
    save = keras_model.save if name.endswith(".keras") else keras_model.save_weights
    save(tmp_path / name)
    checkpoint = read_checkpoint(tmp_path / name)
    kernel, bias = (np.asarray(variable) for variable in keras_model.layers[0].weights)
    assert checkpoint.format == format_name
    assert_holds(checkpoint, {"layers/dense/vars/0": kernel, "layers/dense/vars/1": bias})


def test_keras_2_model_file(tmp_path):
    tensors = {"a/a/kernel:0": ramp((2, 3)), "b/b/bias:0": ramp((3,))}
    optimizer = {"optimizer_weights/Adam/m:0": ramp((2,))}
    full = {f"model_weights/{name}": value for name, value in tensors.items()} | optimizer
    files.write_keras2_h5(tmp_path / "model", full)
    assert_holds(read_checkpoint(tmp_path / "model"), tensors)


def test_keras_2_compressed(tmp_path):
    with h5py.File(tmp_path / "small.h5", "w") as file:
        data = ramp((64, 64)).astype("float32")
        file.create_dataset("a/kernel:0", data=data, compression="gzip", shuffle=True)
    assert_holds(read_checkpoint(tmp_path / "small.h5"), {"a/kernel:0": data})


def test_safetensors_bfloat16(tmp_path):
    tensors = {"a": ramp((2, 3)).astype(BFLOAT16), "b": ramp((3,))}
    safetensors.numpy.save_file(tensors, tmp_path / "a.safetensors")
    assert_holds(read_checkpoint(tmp_path / "a.safetensors"), tensors)


# ----------------------------------------------------------------------------- our own writers


@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize("name", ["weights.bin", "weights.h5", "weights.pth", "weights"])
def test_format_is_told_by_content(tmp_path, writer, name):
    write, format_name = WRITERS[writer]
    write(tmp_path / name, tensors_of_many_types())
    checkpoint = read_checkpoint(tmp_path / name)
    assert checkpoint.format == format_name
    assert_holds(checkpoint, tensors_of_many_types())


@pytest.mark.parametrize("write", [files.write_torch_zip, files.write_torch_legacy])
@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod.", "module._orig_mod."])
@pytest.mark.parametrize(
    "nest", [None, "state_dict", "model", "model_state_dict", "net", ["model", "state_dict"]]
)
def test_torch_nesting_and_prefix(tmp_path, write, prefix, nest):
    tensors = {"a.weight": ramp((2, 3)).astype("float32"), "a.bias": ramp((2,)).astype("float32")}
    write(tmp_path / "a.pth", tensors, nest=nest, prefix=prefix)
    assert_holds(read_checkpoint(tmp_path / "a.pth"), tensors)


def test_torch_nest_without_tensors_is_passed_over(tmp_path):
    """A moving average that is off leaves its settings in the file."""
    tensor = files.torch_tensor("0", "FloatStorage", 2, (2,), (1,))
    entries = {
        "model_ema": files.table({"decay": files.number(1)}),
        "state_dict": files.table({"a": tensor}),
    }
    records = {"0": ramp((2,)).astype("float32").tobytes()}
    files.write_torch_archive(tmp_path / "a", files.pickled(files.table(entries)), records)
    assert_holds(read_checkpoint(tmp_path / "a"), {"a": ramp((2,)).astype("float32")})


@pytest.mark.parametrize("protocol", [2, 4])
def test_torch_side_data(tmp_path, protocol):
    """What training programs keep beside the network, and nobody looks at."""
    notes = {
        "set": {1, 2},
        "bytes": bytearray(b"ab"),
        "float": {0.5: 1},
        "default": collections.defaultdict(int, a=1),
    }
    notes = pickle.dumps(notes, protocol)[2:-1]
    tensor = files.torch_tensor("0", "FloatStorage", 2, (2,), (1,))
    entries = files.pickled(files.table({"notes": notes, "state_dict": files.table({"a": tensor})}))
    records = {"0": ramp((2,)).astype("float32").tobytes()}
    files.write_torch_archive(tmp_path / "a", entries, records)
    assert_holds(read_checkpoint(tmp_path / "a"), {"a": ramp((2,)).astype("float32")})


def test_torch_big_endian(tmp_path):
    """What torch.save writes on a big-endian machine; bfloat16 has no byte order in NumPy."""
    entries = {
        "a": files.torch_tensor("0", "FloatStorage", 6, (3, 2), (1, 3)),
        "b": files.torch_tensor("1", "BFloat16Storage", 2, (2,), (1,)),
    }
    data = ramp((2, 3)).astype(">f4").tobytes(), ramp((2,)).astype(BFLOAT16).view("u2")
    records = {"0": data[0], "1": data[1].byteswap().tobytes()}
    pickle = files.pickled(files.table(entries))
    files.write_torch_archive(tmp_path / "a", pickle, records, byteorder="big")
    expected = {"a": ramp((2, 3)).astype("float32").T, "b": ramp((2,)).astype(BFLOAT16)}
    assert_holds(read_checkpoint(tmp_path / "a"), expected)


def test_torch_as_python_2_pickles_it(tmp_path):
    """Byte strings for text, and an OrderedDict made of a list of pairs."""
    tensor = files.torch_tensor("0", "FloatStorage", 6, (2, 3), (3, 1))
    pairs = files.sequence(b"(U\x01a" + tensor + b"l")
    state = files.call("collections", "OrderedDict", pairs)
    records = {"0": ramp((6,)).astype("float32").tobytes()}
    files.write_torch_archive(tmp_path / "a", files.pickled(state), records)
    assert_holds(read_checkpoint(tmp_path / "a"), {"a": ramp((2, 3)).astype("float32")})


def test_torch_shared_storage(tmp_path):
    view = {
        "rows": files.torch_tensor("0", "FloatStorage", 6, (2, 3), (3, 1)),
        "second": files.torch_tensor("0", "FloatStorage", 6, (3,), (1,), offset=3),
    }
    records = {"0": ramp((6,)).astype("float32").tobytes()}
    files.write_torch_archive(tmp_path / "a", files.pickled(files.table(view)), records)
    rows = ramp((2, 3)).astype("float32")
    assert_holds(read_checkpoint(tmp_path / "a"), {"rows": rows, "second": rows[1]})


def test_paddle_other_array_forms(tmp_path):
    """Fortran order, foreign byte order, and the `eval` that Paddle puts around arrays."""
    data = ramp((2, 3)).astype("float32")
    swapped = files.numpy_array((2, 3), "f4", files.binary(data.astype(">f4").tobytes()), order=">")
    fortran = files.binary(data.tobytes(order="F"))
    plain = files.numpy_array((2, 3), "f4", files.binary(data.tobytes()))
    entries = {
        "fortran": files.numpy_array((2, 3), "f4", fortran, fortran=True),
        "swapped": swapped,
        "evaluated": files.call(
            "builtins", "eval", files.text("data"), files.table({"data": plain})
        ),
        "named": files.call("builtins", "tuple", files.row(files.text("x_0"), plain)),
    }
    (tmp_path / "a").write_bytes(files.pickled(files.table(entries), 4))
    assert_holds(read_checkpoint(tmp_path / "a"), dict.fromkeys(entries, data))


def test_paddle_arrays_in_slices(tmp_path):
    data = ramp((2, 3)).astype("float32")
    parts = {
        f"big@@.{i}": files.numpy_array((3,), "f4", files.binary(data[i].tobytes())) for i in (0, 1)
    }
    slices = files.sequence(*map(files.text, parts))
    shape = files.row(files.number(2), files.number(3))
    note = files.table({"big": files.table({"OriginShape": shape, "slices": slices})})
    pickle = files.pickled(files.table({**parts, "UnpackBigParamInfor@@": note}))
    (tmp_path / "a").write_bytes(pickle)
    assert_holds(read_checkpoint(tmp_path / "a"), {"big": data})


def test_readers_import_no_framework():
    """Run in a fresh process, and past `keras_ghostnet/__init__.py`, which imports Keras."""
    root = str(pathlib.Path(__file__).parents[2])
    code = (
        "import sys, types\n"
        "for name in ('keras_ghostnet', 'keras_ghostnet.weights'):\n"
        "    module = sys.modules[name] = types.ModuleType(name)\n"
        f"    module.__path__ = [{root!r} + '/' + name.replace('.', '/')]\n"
        "import keras_ghostnet.weights.readers\n"
        "print(sorted({'tensorflow', 'keras', 'torch', 'paddle', 'pickle'} & set(sys.modules)))\n"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() in ("[]", "['pickle']")  # NumPy imports pickle for itself
