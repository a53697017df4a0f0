"""What the command does before TensorFlow is imported, and nobody else's program."""

import os
import platform
import subprocess
import sys

import pytest

from keras_ghostnet.command import ONEDNN, starting


@pytest.mark.parametrize(
    ("program", "machine", "before", "after"),
    [
        ("/usr/bin/ghostnet", "x86_64", None, "1"),
        ("ghostnet.exe", "AMD64", None, "1"),
        ("ghostnet", "x86_64", "0", "0"),
        ("ghostnet", "aarch64", None, None),
        ("train.py", "x86_64", None, None),
        ("", "x86_64", None, None),
    ],
)
def test_onednn(program, machine, before, after, monkeypatch):
    monkeypatch.setattr("sys.argv", [program])
    monkeypatch.setattr("platform.machine", lambda: machine)
    monkeypatch.setenv(ONEDNN, before or "")  # so that it is put back in the end
    if before is None:
        monkeypatch.delenv(ONEDNN)
    with starting():
        assert os.environ.get(ONEDNN) == after


def test_noise_is_held_back_in_the_command_alone(monkeypatch, capfd):
    monkeypatch.setenv(ONEDNN, "0")
    for program, expected in (("ghostnet", ""), ("train.py", "TensorFlow's greeting\n")):
        monkeypatch.setattr("sys.argv", [program])
        with starting():
            os.write(2, b"TensorFlow's greeting\n")
        assert capfd.readouterr().err == expected


KERNELS = """
import keras_ghostnet
from tensorflow.python.framework.test_util import IsMklEnabled
print(IsMklEnabled())
"""


@pytest.mark.parametrize(("setting", "expected"), [(None, "True"), ("0", "False")])
def test_tensorflow_hears_of_it(setting, expected, tmp_path):
    """Which is so only if it is told before its import."""
    if platform.machine() != "x86_64":
        pytest.skip("elsewhere TensorFlow decides")
    program = tmp_path / "ghostnet"
    program.write_text(KERNELS)
    environment = {name: value for name, value in os.environ.items() if name != ONEDNN}
    if setting is not None:
        environment[ONEDNN] = setting
    command = [sys.executable, program]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == expected
