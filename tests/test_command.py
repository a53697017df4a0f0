"""What sets the command apart: it starts TensorFlow quietly and with its own setting; spellings."""

import json
import os
import platform
import subprocess
import sys

import keras
import pytest

from keras_ghostnet import command
from keras_ghostnet.command import ONEDNN
from keras_ghostnet.defaults import keras_defaults


@pytest.mark.parametrize(
    ("program", "expected"),
    [("/usr/bin/ghostnet", True), ("ghostnet.exe", True), ("train.py", False), ("", False)],
)
def test_the_command_is_known_by_its_name(program, expected, monkeypatch):
    monkeypatch.setattr("sys.argv", [program])
    assert command.is_running() == expected


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["-m", "keras_ghostnet.benchmark.arm.check", "a.tflite"], True),
        (["-X", "dev", "-m", "tests.speed.lowering"], True),
        (["-m", "pytest", "tests.speed.lowering"], False),
        (["tests.speed.lowering", "-m"], False),
        (["-m"], False),
    ],
)
def test_what_measures_is_known_by_its_module(arguments, expected, monkeypatch):
    monkeypatch.setattr("sys.orig_argv", ["python", *arguments])
    assert command.is_measuring() == expected


@pytest.mark.parametrize(
    "module", ["keras_ghostnet.benchmark.scaling", "keras_ghostnet.benchmark.arm.check"]
)
def test_what_measures_starts_quietly(module):
    """As the command does; what is imported before the tables are made prints nothing."""
    done = subprocess.run(
        [sys.executable, "-m", module, "--help"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith(f"usage: python -m {module} ")
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("machine", "before", "after"),
    [("x86_64", None, "1"), ("AMD64", None, "1"), ("x86_64", "0", "0"), ("aarch64", None, None)],
)
def test_onednn(machine, before, after, monkeypatch):
    monkeypatch.setattr("platform.machine", lambda: machine)
    monkeypatch.setenv(ONEDNN, before or "")  # so that it is put back in the end
    if before is None:
        monkeypatch.delenv(ONEDNN)
    command.start_backend()
    assert os.environ.get(ONEDNN) == after


PROGRAM = """
import sys
import keras_ghostnet
from keras_ghostnet.command import start_backend
assert ("keras" in sys.modules) == (not {lazy}), "who loads models needs the layers registered"
start_backend()
assert ("sklearn" in sys.modules) == (not {lazy}), "Keras needs it for what nobody uses here"
import keras, matplotlib.pyplot, sklearn.datasets
from tensorflow.python.framework.test_util import IsMklEnabled
assert keras.saving.get_registered_object("keras_ghostnet>GhostModule")
print(IsMklEnabled())
"""


@pytest.mark.parametrize(
    ("name", "setting", "expected"),
    [("ghostnet", None, "True"), ("ghostnet", "0", "False"), ("train.py", None, None)],
)
def test_tensorflow_hears_of_it_and_is_quiet(name, setting, expected, tmp_path):
    """It hears only if it is told before its import."""
    program = tmp_path / name
    program.write_text(PROGRAM.format(lazy=name == "ghostnet"))
    environment = {key: value for key, value in os.environ.items() if key != ONEDNN}
    if setting is not None:
        environment[ONEDNN] = setting
    done = subprocess.run(
        [sys.executable, program], env=environment, capture_output=True, text=True, check=True
    )
    if expected is not None and platform.machine() == "x86_64":  # elsewhere TensorFlow decides
        assert done.stdout.strip() == expected
    assert (done.stderr == "") == (name == "ghostnet")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["--run_dir", "my_run"], ["--run-dir", "my_run"]),
        (["--run_dir=my_run"], ["--run-dir=my_run"]),
        (["--set=batch_size=8", "--set", "l2_x=1"], ["--set=batch_size=8", "--set", "l2_x=1"]),
        (["--top_k", "1", "--", "--my_file"], ["--top-k", "1", "--", "--my_file"]),
        (["-a_b", "a__b"], ["-a_b", "a__b"]),
    ],
)
def test_options_with_underscores_are_taken(given, expected):
    assert command.hyphenated(given) == expected


def test_keras_json_does_not_change_the_command(tmp_path):
    """Networks for channels first fit no image of the pipelines, and CPUs cannot run them."""
    settings = {"image_data_format": "channels_first", "floatx": "float16"}
    (tmp_path / "keras.json").write_text(json.dumps(settings))
    program = (
        "from keras_ghostnet.command import start_backend\nstart_backend()\n"
        "import keras, keras_ghostnet\n"
        "config = keras.config\n"
        "print(config.image_data_format(), config.floatx(), config.dtype_policy().name)\n"
        "model = keras_ghostnet.GhostNet(0.25)\n"
        "print(model.input_shape, model.inputs[0].dtype, model.layers[1].dtype_policy.name)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "KERAS_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == [
        "channels_last float32 float32",
        "(None, 224, 224, 3) float32 float32",
    ]


@pytest.mark.parametrize("floatx", ["float16", "float64"])
def test_verbs_take_the_defaults_and_put_back_what_was_set(floatx):
    @keras_defaults()
    def settings():
        config = keras.config
        return config.image_data_format(), config.floatx(), config.dtype_policy().name

    before = settings.__wrapped__()
    try:
        keras.config.set_image_data_format("channels_first")
        keras.config.set_floatx(floatx)
        keras.config.set_dtype_policy("mixed_bfloat16")
        assert settings() == ("channels_last", "float32", "float32")
        assert settings.__wrapped__() == ("channels_first", floatx, "mixed_bfloat16")
    finally:
        keras.config.set_image_data_format(before[0])
        keras.config.set_floatx(before[1])
        keras.config.set_dtype_policy(before[2])
