"""The cluster that a SLURM job step describes.

`tf.distribute.cluster_resolver.SlurmClusterResolver` reads the step's nodes and tasks. By itself it
finds no cluster where there are no GPUs, counts hosts n10 before n9, and always listens at port
8888; so what it reads is put in order here.
"""

import os
import re
from collections.abc import Sequence

import tensorflow as tf

PORTS = range(20000, 32000)  # below those that systems give to clients


def workers() -> int:
    """How many tasks the job step has that this process belongs to; 0 if `srun` began none."""
    return int(os.environ.get("SLURM_STEP_NUM_TASKS", 0)) if "SLURM_PROCID" in os.environ else 0


def resolver(
    gpus: Sequence[tf.config.PhysicalDevice],
) -> tf.distribute.cluster_resolver.ClusterResolver:
    """The cluster of this job step: one worker for each task.

    Args:
        gpus: The physical GPUs that TensorFlow sees. Tasks that see all of their node's share
            them evenly.

    Returns:
        A `tf.distribute.cluster_resolver.ClusterResolver`.

    Raises:
        ValueError: If the step is not described as `srun` does, or its tasks are not placed block
            by block on the nodes in the order of their names.
    """
    try:
        rank, local = int(os.environ["SLURM_PROCID"]), int(os.environ["SLURM_LOCALID"])
        node = os.environ["SLURMD_NODENAME"]
        found = tf.distribute.cluster_resolver.SlurmClusterResolver(
            # Ports of its own for every job, as two may share a node.
            port_base=PORTS[int(os.environ["SLURM_JOB_ID"]) % len(PORTS)],
            gpus_per_node=workers(),  # of no meaning here, but that a task without any is left out
            gpus_per_task=1,
            auto_set_gpu=False,
        )
        addresses = sorted(found.cluster_spec().as_dict()["worker"], key=_natural)
    except (KeyError, ValueError, RuntimeError) as error:
        raise ValueError(f"SLURM does not describe a job step, begin with srun: {error}") from error
    if addresses[rank].rpartition(":")[0] != node:
        raise ValueError(
            f"SLURM runs task {rank} on {node}, where {addresses[rank]} was expected. Begin with "
            "srun --distribution=block, and the same number of tasks on every node."
        )
    neighbors = sum(address.startswith(f"{node}:") for address in addresses)
    mine = share(gpus, local, neighbors)
    tf.config.set_visible_devices(mine, "GPU")
    return tf.distribute.cluster_resolver.SimpleClusterResolver(
        tf.train.ClusterSpec({"worker": addresses}),
        task_type="worker",
        task_id=rank,
        num_accelerators={"GPU": len(mine)},
        rpc_layer="grpc",
    )


def share(
    gpus: Sequence[tf.config.PhysicalDevice], local: int, neighbors: int
) -> Sequence[tf.config.PhysicalDevice]:
    """The GPUs of a task: those that SLURM bound to it, or else its part of the node's.

    Args:
        gpus: The GPUs that the task sees.
        local: The task's number on its node.
        neighbors: How many tasks the node has.

    Returns:
        A part of `gpus`.

    Raises:
        ValueError: If more tasks than GPUs share a node.
    """
    if len(gpus) < int(os.environ.get("SLURM_GPUS_ON_NODE", len(gpus))):
        return gpus
    count = len(gpus) // neighbors
    if gpus and not count:
        raise ValueError(
            f"{neighbors} tasks share a node of {len(gpus)} GPUs. Begin as many tasks as GPUs, or "
            "fewer."
        )
    return gpus[local * count : (local + 1) * count]


def _natural(address):
    """Numbers within names count as numbers: n9 comes before n10."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", address)]
