"""The cluster as SLURM's variables describe it. Training by it: test_distribution."""

import pytest

from keras_ghostnet.training import distribution, slurm
from tests.training.runs import slurm_task


@pytest.fixture
def task(monkeypatch):
    """Function that makes this process a task; takes what `slurm_task` takes."""

    def task(*arguments):
        for name, value in slurm_task(*arguments).items():
            monkeypatch.setenv(name, value)

    return task


def test_tasks_in_the_order_of_their_nodes(task):
    task("n[8-10]", "2(x3)", "n10", 5)
    resolver = slurm.resolver([])
    assert resolver.cluster_spec().as_dict() == {
        "worker": [f"n{node}:{port}" for node in (8, 9, 10) for port in (20007, 20008)]
    }
    assert (resolver.task_type, resolver.task_id) == ("worker", 5)
    assert resolver.num_accelerators() == {"GPU": 0}
    assert distribution.workers() == 6


def test_tasks_that_are_placed_otherwise(task):
    task("n[1-2]", "2(x2)", "n2", 1)  # srun --distribution=cyclic
    with pytest.raises(ValueError, match="task 1 on n2, where n1:20008 was expected"):
        slurm.resolver([])


def test_what_srun_does_not_describe(task, monkeypatch):
    task("n1", "2", "n1", 0)
    monkeypatch.delenv("SLURM_STEP_NODELIST")
    with pytest.raises(ValueError, match=r"begin with srun.*STEP_NODELIST"):
        slurm.resolver([])


def test_gpus_of_a_node_are_shared_evenly(monkeypatch):
    gpus = ["a", "b", "c", "d"]
    monkeypatch.delenv("SLURM_GPUS_ON_NODE", raising=False)
    assert [slurm.share(gpus, task, 2) for task in range(2)] == [["a", "b"], ["c", "d"]]
    monkeypatch.setenv("SLURM_GPUS_ON_NODE", "4")
    assert slurm.share(gpus, 0, 1) == gpus
    assert slurm.share(gpus, 3, 4) == ["d"]
    assert slurm.share(["b"], 1, 4) == ["b"]  # srun --gpus-per-task=1
    with pytest.raises(ValueError, match="8 tasks share a node of 4 GPUs"):
        slurm.share(gpus, 0, 8)
