"""JAX and PyTorch, each without TensorFlow, against TensorFlow and the recorded logits."""

import importlib.util
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

from tests.backend_run import GOLDEN
from tests.golden.checkpoints import Golden

pytestmark = pytest.mark.backends

ROOT = pathlib.Path(__file__).parents[1]
FORMATS = ("channels_last", "channels_first")
TOLERANCE = 1e-4  # of the logits' standard deviation


def run(backend, folder, *data_formats):
    """What `backend_run` saves in a process of its own: a dictionary of arrays."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.backend_run", str(folder), *data_formats],
        cwd=ROOT,
        env={**os.environ, "KERAS_BACKEND": backend},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return dict(np.load(folder / f"{backend}.npz"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("backends")


@pytest.fixture(scope="module")
def tensorflow(folder):
    """On a CPU TensorFlow knows channels last alone."""
    return run("tensorflow", folder, "channels_last")


@pytest.fixture(scope="module", params=["jax", "torch"])
def other(request, folder):
    if importlib.util.find_spec(request.param) is None:
        pytest.skip(f"needs {request.param}: `make test-backends` installs it")
    return run(request.param, folder, *FORMATS)


@pytest.mark.parametrize("data_format", FORMATS)
@pytest.mark.parametrize("name", [*GOLDEN, "narrow"])
def test_logits_are_tensorflows(other, tensorflow, name, data_format):
    expected = tensorflow[f"{name} channels_last"]
    error = np.abs(other[f"{name} {data_format}"] - expected).max() / expected.std()
    assert error < TOLERANCE


@pytest.mark.parametrize("data_format", FORMATS)
@pytest.mark.parametrize("name", GOLDEN)
def test_logits_are_the_recorded_ones(other, name, data_format):
    Golden(name).assert_agrees(other[f"{name} {data_format}"], TOLERANCE)


@pytest.mark.parametrize("family", ["ghostnet", "g_ghost"])
def test_a_step_of_training_is_tensorflows(other, tensorflow, family):
    losses = other[f"losses {family}"]
    before, after = tensorflow[f"losses {family}"]
    assert after < before
    # The first tells batch statistics, the difference gradients.
    np.testing.assert_allclose(losses[0], before, rtol=1e-4)
    np.testing.assert_allclose(losses[1] - losses[0], after - before, rtol=0.02)
