"""Holding back output, that of C++ code included."""

import logging
import os
import sys
import warnings

import pytest

from keras_ghostnet.quiet import quiet


def chatter():
    print("to sys.stdout")
    print("to sys.stderr", file=sys.stderr)
    os.write(2, b"below sys.stderr\n")
    warnings.warn("a warning", stacklevel=1)


def fail():
    chatter()
    raise ValueError("broken")


def test_nothing_comes_out(capfd):
    with quiet():
        chatter()
    assert capfd.readouterr() == ("", "")


def test_output_comes_back_afterwards(capfd):
    with quiet():
        pass
    with warnings.catch_warnings(action="ignore"):
        chatter()
    out, err = capfd.readouterr()
    assert out == "to sys.stdout\n"
    assert "below sys.stderr" in err


def test_who_holds_stdout_still_speaks(capfd):
    stdout = sys.stdout
    with quiet():
        print("progress", file=stdout)
    assert capfd.readouterr() == ("progress\n", "")


def test_a_failure_shows_everything(capfd):
    with pytest.raises(ValueError, match="broken"), quiet():
        fail()
    _, err = capfd.readouterr()
    assert "to sys.stdout" in err
    assert "below sys.stderr" in err


def test_a_logger_made_meanwhile_speaks_afterwards(capfd):
    """As TensorFlow's is, where an export or a training is the first to import it."""
    logger = logging.Logger("library")
    with quiet(), quiet():
        logger.addHandler(logging.StreamHandler())
        print_again, stderr = sys.stdout, sys.stderr
        logger.warning("held back")
    logger.warning("afterwards")
    print("once more", file=print_again)
    assert (stderr.encoding, stderr.isatty()) == (sys.stderr.encoding, sys.stderr.isatty())
    assert capfd.readouterr() == ("once more\n", "afterwards\n")
