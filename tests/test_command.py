"""What the command does before TensorFlow is imported, and nobody else's program."""

import os

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
