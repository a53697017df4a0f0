"""Users' own `model.fit` under a `tf.distribute` strategy, where Keras supports it."""

import pathlib
import sys

import numpy as np
import pytest

from tests.training import runs

pytestmark = pytest.mark.workers  # Keras' own loop; that of this package: test_distribution.py

ROOT = pathlib.Path(__file__).parents[2]


def fit(strategy, folder, environments=({},)):
    """What the processes wrote, or what the first that failed said."""
    out = folder / f"{strategy}.npz"
    words = [sys.executable, "-m", "tests.training.fitter", strategy, str(out)]
    with runs.started(words, environments, cwd=ROOT) as processes:
        for process in processes:
            _, errors = process.communicate(timeout=600)
            assert process.returncode == 0, errors[-3000:]
    return dict(np.load(out))


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """Without a strategy."""
    return fit("none", tmp_path_factory.mktemp("plain"))


@pytest.mark.parametrize(("strategy", "replicas"), [("one_device", 1), ("mirrored", 2)])
def test_as_without_a_strategy(strategy, replicas, plain, tmp_path):
    found = fit(strategy, tmp_path)
    assert found.keys() == plain.keys()
    for name, value in found.items():
        if name.startswith("replicas/"):
            assert len(value) == replicas
            assert all(np.array_equal(value[0], other) for other in value[1:]), name
            value = value[:1]
        np.testing.assert_allclose(value, plain[name], rtol=1e-6, atol=1e-6, err_msg=name)


def test_several_workers_are_not_supported_by_keras(tmp_path):
    # Fails once Keras does support them. Then test the same as above, and say it in the documents.
    with pytest.raises(AssertionError, match=r"unsupported type .*PerReplica"):
        fit("multi_worker", tmp_path, runs.cluster(2))
