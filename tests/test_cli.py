"""The `ghostnet` command as a user runs it: what it prints, and with which exit code it ends."""

import os
import pathlib
import subprocess
import sys

import pytest

import keras_ghostnet
from tests.golden.checkpoints import Golden
from tests.weights import checkpoint_files

GHOSTNET = pathlib.Path(sys.executable).with_name("ghostnet")


def ghostnet(*arguments, **options):
    """Runs the console command; returns the finished process."""
    return subprocess.run(
        [GHOSTNET, *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, "COLUMNS": "120"},
        **options,
    )


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    path = tmp_path_factory.mktemp("cli") / "model.pdparams"
    checkpoint_files.write_paddle(path, Golden("paddle_ghostnet_050_224").tensors())
    return path


def test_models_prints_a_table_and_nothing_else():
    done = ghostnet("models", "ghostnet_100", "g_ghost_regnetx_032")
    assert (done.returncode, done.stderr) == (0, "")
    assert "5,182,508" in done.stdout
    assert "141.15" in done.stdout
    assert "1,801.75" in done.stdout


def test_weights_lists_the_registry():
    done = ghostnet("weights")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("imagenet") == 7
    details = ghostnet("weights", "ghostnet_130")
    assert "md5:62571bb90d71a7487679ae97642d13fb" in details.stdout
    assert "79.38" in details.stdout


def test_convert_weights_prints_what_it_mapped(checkpoint, tmp_path):
    done = ghostnet("convert-weights", checkpoint, tmp_path / "out.keras")
    assert (done.returncode, done.stderr) == (0, "")
    assert "_ghostbottleneck_3.se_block.squeeze.weight" in done.stdout
    assert "stage3_block1/se/reduce/kernel" in done.stdout
    assert "432 tensors, each used once" in done.stdout
    assert (tmp_path / "out.keras").stat().st_size > 1e7


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("models", "ghostnet_10"), "Did you mean 'ghostnet_100'"),
        (("weights", "nosuch"), "Unknown model 'nosuch'"),
        (("convert-weights", "nosuch.pth", "out.keras"), "nosuch.pth: no such file"),
        (("models", "ghostnet_100", "--size", "16"), "at least 32 x 32"),
    ],
)
def test_bad_input_is_one_message_and_exit_code_1(arguments, message):
    done = ghostnet(*arguments)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("ghostnet: ")
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_help_and_version():
    done = ghostnet("--help")
    assert (done.returncode, done.stderr) == (0, "")
    for command in ("quickstart", "models", "weights", "convert-weights"):
        assert command in done.stdout
    assert keras_ghostnet.__version__ in ghostnet("--version").stdout


def test_unknown_command_is_named():
    done = ghostnet("trian")
    assert done.returncode != 0
    assert "trian" in done.stderr
