"""The page on the hub: its Python runs, and its commands are spelled right."""

import shlex
import shutil

import pytest
import safetensors.numpy

from keras_ghostnet import cli
from tests.golden.checkpoints import Golden
from tests.test_documents import ROOT, python_blocks, shell_blocks

PAGE = (ROOT / "docs" / "hub.md").read_text()


def test_the_page_s_code_runs(hub_server, run_dir, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(run_dir, tmp_path / "runs" / "photos")
    weights = safetensors.numpy.save(Golden("timm_ghostnet_100_224").tensors())
    hub_server.add("timm/ghostnet_100.in1k", {"model.safetensors": weights})
    names = {}
    for block in python_blocks(PAGE):
        exec(block, names)
    assert names["model"].name == "ghostnet_100"
    assert "'model.keras': " in capsys.readouterr().out


@pytest.mark.parametrize(
    "line", [line for block in shell_blocks(PAGE) for line in block.splitlines()]
)
def test_its_commands_are_parsed(line):
    assert callable(cli.parse(shlex.split(line)).run)
