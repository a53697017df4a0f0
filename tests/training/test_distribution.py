"""The same losses and weights on one device, on two, and on two workers over loopback."""

import json
import os
import pathlib
import socket
import subprocess
import sys

import numpy as np
import pytest

from keras_ghostnet.training import distribution

ROOT = pathlib.Path(__file__).parents[2]


def start(strategy, synchronized, out, **environment):
    words = [strategy, "synchronized" if synchronized else "local", str(out)]
    return subprocess.Popen(
        [sys.executable, "-m", "tests.training.worker", *words],
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finish(processes, out):
    for process in processes:
        output, _ = process.communicate(timeout=300)
        assert process.returncode == 0, output[-3000:]
    return dict(np.load(out))


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def train(strategy, synchronized, folder):
    out = folder / f"{strategy}-{synchronized}.npz"
    if strategy != "multi_worker":
        return finish([start(strategy, synchronized, out)], out)
    cluster = {"worker": [f"127.0.0.1:{port}" for port in free_ports(2)]}
    workers = [
        start(
            strategy,
            synchronized,
            out,
            TF_CONFIG=json.dumps({"cluster": cluster, "task": {"type": "worker", "index": index}}),
        )
        for index in range(2)
    ]
    return finish(workers, out)


def assert_same(a, b):
    assert a.keys() == b.keys()
    for name in a:
        np.testing.assert_allclose(a[name], b[name], rtol=1e-6, atol=1e-6, err_msg=name)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("distribution")


@pytest.fixture(scope="module")
def one(folder):
    return train("one_device", True, folder)


@pytest.mark.parametrize("strategy", ["mirrored", "multi_worker"])
def test_as_one_process_when_batch_norm_is_synchronised(strategy, one, folder):
    assert_same(train(strategy, True, folder), one)


def test_workers_as_mirrored_when_batch_norm_is_each_replica_s_own(one, folder):
    mirrored = train("mirrored", False, folder)
    assert_same(train("multi_worker", False, folder), mirrored)
    assert abs(mirrored["losses"] - one["losses"]).max() > 1e-3  # it does make a difference


def test_every_example_is_evaluated_once(one):
    assert one["sums"][3] == 32


@pytest.mark.parametrize(
    ("config", "message"),
    [("{", "not a cluster"), ('["a"]', "not a cluster"), ("", "set TF_CONFIG")],
)
def test_cluster_that_is_not_described(monkeypatch, config, message):
    monkeypatch.setenv("TF_CONFIG", config)
    with pytest.raises(ValueError, match=message):
        distribution.strategy("multi_worker")


def test_unknown_strategy():
    with pytest.raises(ValueError, match="Did you mean 'mirrored'"):
        distribution.strategy("mirored")


def test_workers_are_counted(monkeypatch):
    monkeypatch.setenv("TF_CONFIG", '{"cluster": {"chief": ["a:1"], "worker": ["b:1", "c:1"]}}')
    assert distribution.workers() == 3
    monkeypatch.delenv("TF_CONFIG")
    monkeypatch.setenv("SLURM_PROCID", "0")
    monkeypatch.setenv("SLURM_NTASKS", "4")
    assert distribution.workers() == 4
