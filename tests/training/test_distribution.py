"""The same losses and weights on one device, on several, and on workers over loopback."""

import functools
import json
import pathlib
import socket
import sys
import threading
import time

import numpy as np
import pytest

from keras_ghostnet.training import cluster, distribution
from tests.keras_state import dtype_policy
from tests.once import made_once
from tests.training import runs, worker
from tests.training.worker import CLASSES, SIZES

ROOT = pathlib.Path(__file__).parents[2]
MODES = ("all", "pooled")  # batch norms that are synchronized
STRATEGIES = ("multi_worker", "mirrored")
# Replicas. Four take two minutes more, in `make test-workers`.
COUNTS = (2, pytest.param(4, marks=pytest.mark.workers))


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """13 to be held out: no multiple of any number of replicas or size of batch."""
    return runs.write_photos(tmp_path_factory.mktemp("photos"), CLASSES, train=1, val=1)


@pytest.fixture(scope="module")
def results(photos, tmp_path_factory):
    """Function that trains on a number of replicas, each way once; what each process found."""

    @functools.cache
    def train(strategy, count, mode):
        if strategy == "one_device":
            with dtype_policy("float64"):
                return [worker.train(distribution.strategy(strategy), photos, mode)]
        name = f"replicas-{strategy}-{count}-{mode}"
        make = functools.partial(run, strategy, count, mode)
        folder = made_once(tmp_path_factory, name, make)
        return [dict(np.load(path)) for path in sorted(folder.iterdir(), reverse=True)]

    def run(strategy, count, mode, folder):
        devices = count if strategy == "mirrored" else 1
        # Two workers are described by SLURM, four by TF_CONFIG.
        describe = {2: runs.slurm_step, 4: runs.cluster}
        environments = describe[count](count) if strategy == "multi_worker" else ({},)
        words = [sys.executable, "-m", "tests.training.worker", strategy, str(devices), mode]
        words += [str(photos), str(folder / "{}.npz")]
        with runs.started(words, environments, cwd=ROOT) as processes:
            for process in processes:
                _, errors = process.communicate(timeout=900)
                assert process.returncode == 0, errors[-3000:]
        assert len(list(folder.iterdir())) == len(environments)

    return train


def part(results, *kinds):
    """Some of the results, by their name."""
    chosen = {name: value for name, value in results.items() if name.split("/")[0] in kinds}
    assert chosen
    return chosen


def assert_close(found, expected):
    assert found.keys() == expected.keys()
    for name in found:
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-6, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_as_one_process_when_batch_norm_is_synchronized(strategy, count, results):
    kinds = ("losses", "trained", "model", "optimizer", "average", "saved", "evaluated")
    (one,) = results("one_device", 1, "all")
    found = results(strategy, count, "all")[0]
    assert_close(part(found, *kinds), part(one, *kinds))


@pytest.mark.parametrize("count", COUNTS)
def test_reductions_of_a_step(count, results):
    """One of all gradients, which are small, one of the metrics; two of each batch norm."""
    found = results("multi_worker", count, "all")[0]
    norms = sum(name.endswith("moving_mean") for name in found if name.startswith("saved/"))
    assert norms > 10
    assert found["collectives/pooled"] == 2 + 2 * 1
    assert found["collectives/all"] == 2 + 2 * norms


@pytest.mark.parametrize("count", COUNTS)
def test_workers_as_mirrored_when_some_batch_norms_are_each_replica_s_own(count, results):
    (one,) = results("one_device", 1, "pooled")
    (mirrored,) = results("mirrored", count, "pooled")
    found = results("multi_worker", count, "pooled")[0]
    kinds = {name.split("/")[0] for name in found} - {"collectives"}  # mirrored has other ones
    assert_close(part(found, *kinds), part(mirrored, *kinds))
    assert abs(mirrored["losses"] - one["losses"]).max() > 1e-3  # it does make a difference


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("mode", MODES)
def test_all_workers_hold_the_same(mode, count, results):
    first, *others = results("multi_worker", count, mode)
    assert any(name.endswith("kernel") for name in first)
    for other in others:
        assert first.keys() - other.keys() <= {"collectives/pooled"}  # which the chief alone counts
        for name in other:
            np.testing.assert_array_equal(other[name], first[name], err_msg=name)


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("mode", MODES)
def test_saved_statistics_are_the_mean_of_all_replicas(mode, strategy, count, results):
    found = results(strategy, count, mode)[0]
    rows = part(found, "replicas")
    assert all(len(row) == count for row in rows.values())
    for name, row in rows.items():
        shared = mode == "all" or name.startswith("replicas/pooled/")
        if shared or name.endswith("moving_variance"):  # the mean of some is 0 for any images
            assert (np.ptp(row, axis=0).max() < 1e-12) == shared, name
    means = {name.replace("replicas/", "saved/"): row.mean(axis=0) for name, row in rows.items()}
    assert_close({name: found[name] for name in means}, means)


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("mode", MODES)
def test_every_example_is_evaluated_once(mode, strategy, count, results):
    for found in (results("one_device", 1, mode)[0], results(strategy, count, mode)[0]):
        for size in SIZES:  # there is one image of each class, in the order of the classes
            expected = [np.arange(CLASSES)] * 2
            np.testing.assert_array_equal(found[f"examples/{size}"], expected)
        for size in SIZES[1:]:
            np.testing.assert_allclose(
                found[f"evaluated/{size}"], found[f"evaluated/{SIZES[0]}"], rtol=1e-6
            )


@pytest.mark.parametrize(
    ("config", "message"),
    [("{", "not a cluster"), ('["a"]', "not a cluster"), ("", "set TF_CONFIG")],
)
def test_cluster_that_is_not_described(monkeypatch, config, message):
    monkeypatch.setenv("TF_CONFIG", config)
    with pytest.raises(ValueError, match=message):
        distribution.strategy("multi_worker")


WORKERS = ["a:1", "b:1"]


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"cluster": {"worker": "a:1,b:1"}}, "'worker' must be a list"),
        ({"cluster": {"worker": ["a:1", 3]}}, "'worker' must be a list"),
        ({"cluster": {"worker": ["a"]}}, "'worker' must be a list"),
        ({"cluster": {"worker": ["a:1", "a:1"]}}, "named twice"),
        ({"cluster": {"worker": WORKERS, "ps": ["c:1"]}}, "parameter servers"),
        ({"cluster": {"wroker": WORKERS}}, "no job 'wroker'"),
        ({"cluster": {"chief": WORKERS}}, "one chief only"),
        ({"cluster": {"chief": ["a:1"], "master": ["b:1"]}}, "a master is a chief"),
        ({"cluster": [1]}, '"cluster" is no JSON object'),
        ({"cluster": {"worker": WORKERS}, "task": "worker"}, '"task" is no JSON object'),
        ({"cluster": {"worker": WORKERS}, "task": {"type": "chief"}}, "has none"),
        ({"cluster": {"worker": WORKERS}, "task": {"type": "evaluator"}}, "start none"),
        ({"cluster": {"worker": WORKERS}, "task": {"index": 2}}, "from 0 to 1, not 2"),
        ({"cluster": {"worker": WORKERS}, "task": {"index": "1"}}, "from 0 to 1, not '1'"),
        ({"cluster": {"worker": WORKERS}, "task": {"index": True}}, "from 0 to 1, not True"),
    ],
)
def test_clusters_that_are_refused(config, message):
    with pytest.raises(ValueError, match=message):
        cluster.parse_tf_config(json.dumps(config))


@pytest.mark.parametrize("chief", ["master", "chief"])
def test_a_master_is_the_chief_and_an_evaluator_takes_no_part(chief):
    config = {
        "cluster": {"worker": ["b:1"], chief: ["a:1"], "evaluator": ["c:1"]},
        "task": {"type": chief, "index": 0},
    }
    described = cluster.parse_tf_config(json.dumps(config))
    assert described == cluster.Cluster({"chief": ["a:1"], "worker": ["b:1"]}, "chief", 0)
    assert described.addresses == ["a:1", "b:1"]
    assert cluster.parse_tf_config("{}") is None


def test_workers_wait_for_each_other_and_say_for_whom():
    here, there = (f"localhost:{port}" for port in runs.free_ports(2))
    said = []
    with pytest.raises(ConnectionError, match=f"in vain for the workers at {there}"):
        cluster.wait_for_workers([here, there], here, said.append, seconds=0.1)
    assert said == [f"Waiting for the workers at {there}"]
    found, ended = [], threading.Event()

    def start(own):
        cluster.wait_for_workers([here, there], own, said.append, seconds=60)
        # What listens there then is TensorFlow.
        with socket.create_server(("localhost", int(own.rpartition(":")[2]))):
            found.append(own)
            ended.wait(60)

    others = [threading.Thread(target=start, args=(own,)) for own in (here, there)]
    for other in others:
        other.start()
    for _ in range(600):
        if len(found) == 2:
            break
        time.sleep(0.1)
    ended.set()
    for other in others:
        other.join(60)
    assert sorted(found) == sorted([here, there])


def test_unknown_strategy():
    with pytest.raises(ValueError, match="Did you mean 'mirrored'"):
        distribution.strategy("mirored")


def test_workers_are_counted(monkeypatch):
    monkeypatch.setenv("TF_CONFIG", '{"cluster": {"chief": ["a:1"], "worker": ["b:1", "c:1"]}}')
    assert distribution.workers() == 3
    monkeypatch.delenv("TF_CONFIG")
    assert distribution.workers() == 0
    monkeypatch.setenv("SLURM_PROCID", "0")  # a batch script, in which srun has begun nothing
    assert distribution.workers() == 0
    monkeypatch.setenv("SLURM_STEP_NUM_TASKS", "4")
    assert distribution.workers() == 4
