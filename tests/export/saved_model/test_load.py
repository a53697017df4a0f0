"""Under load every request gets its own answer, and memory stays where it was."""

import json
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[3]
GROWTH = 150  # MB, of what is held and of its peak; the huge image's pixels would take 2700


@pytest.mark.parametrize(
    "requests", [400, pytest.param(10_000, marks=pytest.mark.load)], ids=["quick", "full"]
)
def test_16_threads(requests, ghostnet_version):
    command = [sys.executable, "-m", "tests.export.saved_model.load", ghostnet_version]
    done = subprocess.run(
        [*command, "--requests", str(requests)], cwd=ROOT, stdout=subprocess.PIPE, check=True
    )
    seen = json.loads(done.stdout)
    print(seen)
    kinds = {kind: count for kind, count in seen["requests"].items() if kind != "good"}
    assert seen["requests"]["good"] == requests * 0.99
    assert kinds.keys() == {"truncated JPEG", "not an image", "empty", "huge PNG"}
    assert len(set(kinds.values())) == 1
    assert seen["wrong"] == 0
    assert max(seen["growth"]) < GROWTH
