"""Where training runs: one device, several, or several machines, by one name."""

import os
from collections.abc import Callable
from typing import TypeVar

import tensorflow as tf

from keras_ghostnet import specs
from keras_ghostnet.training import cluster, slurm

STRATEGIES = ("auto", "one_device", "mirrored", "multi_worker", "tpu")

Result = TypeVar("Result")


def strategy(name: str = "auto", log: Callable[[str], None] = print) -> tf.distribute.Strategy:
    """A `tf.distribute` strategy by name.

    Args:
        name: `"one_device"` (the GPU if there is one), `"mirrored"` (all GPUs, or all logical
            CPUs), `"multi_worker"` (the cluster that `TF_CONFIG` or SLURM describes), `"tpu"`,
            or `"auto"`: several workers if they are described, else several GPUs if there are,
            else one device.
        log: Function of a line of text, for which workers are waited for.

    Returns:
        A `tf.distribute.Strategy`.

    Raises:
        ValueError: If the name is unknown, or no cluster or TPU is described.
        ConnectionError: If a worker was not started in time.
    """
    if name not in STRATEGIES:
        raise ValueError(f"Unknown strategy {name!r}.{specs.suggest(name, STRATEGIES)}")
    # Physical devices: to ask for logical ones starts TensorFlow's runtime, after which a worker
    # cannot join its cluster any more.
    gpus = tf.config.list_physical_devices("GPU")
    if name == "auto":
        name = "multi_worker" if workers() > 1 else "mirrored" if len(gpus) > 1 else "one_device"
    if name == "one_device":
        return tf.distribute.OneDeviceStrategy("/gpu:0" if gpus else "/cpu:0")
    if name == "mirrored":
        devices = tf.config.list_logical_devices("GPU" if gpus else "CPU")
        return tf.distribute.MirroredStrategy([device.name for device in devices])
    if name == "multi_worker":
        if workers() < 1:
            raise ValueError(
                "The strategy 'multi_worker' needs a cluster: set TF_CONFIG, or start under SLURM."
            )
        resolver = _resolver(gpus)
        jobs = resolver.cluster_spec().as_dict()
        addresses = [address for job in jobs.values() for address in job]
        own = jobs[resolver.task_type][resolver.task_id]
        cluster.wait_for_workers(addresses, own, log)
        return tf.distribute.MultiWorkerMirroredStrategy(cluster_resolver=resolver)
    resolver = tf.distribute.cluster_resolver.TPUClusterResolver(os.environ.get("TPU_NAME", ""))
    tf.config.experimental_connect_to_cluster(resolver)
    tf.tpu.experimental.initialize_tpu_system(resolver)
    return tf.distribute.TPUStrategy(resolver)


def workers() -> int:
    """How many workers TF_CONFIG or SLURM describe; 0 if neither is there.

    Raises:
        ValueError: If TF_CONFIG is not what TensorFlow expects.
    """
    if text := os.environ.get("TF_CONFIG"):
        described = cluster.parse_tf_config(text)
        return len(described.addresses) if described else 0
    return slurm.workers()


def is_chief(strategy: tf.distribute.Strategy) -> bool:
    """Whether this process is the one that writes."""
    resolver = strategy.cluster_resolver
    if resolver is None or not getattr(resolver, "task_type", None):
        return True
    return resolver.task_type == "chief" or (
        resolver.task_type == "worker"
        and resolver.task_id == 0
        and "chief" not in resolver.cluster_spec().jobs
    )


def chief_first(strategy: tf.distribute.Strategy, function: Callable[[], Result]) -> Result:
    """What a function returns, which the other workers call when the chief is through with it.

    For what the chief leaves where they find it.

    Args:
        strategy: A `tf.distribute.Strategy`.
        function: A function without arguments.

    Raises:
        ConnectionError: If another worker is gone.
    """
    results = [function()] if is_chief(strategy) else []
    try:  # each waits here for all
        ready = strategy.run(lambda: tf.constant(1.0, "float64"))
        strategy.reduce("SUM", ready, axis=None)
    except (tf.errors.UnavailableError, tf.errors.AbortedError) as error:
        raise ConnectionError(f"Another worker is gone: {error.message}") from error
    return results[0] if results else function()


def distribute(
    strategy: tf.distribute.Strategy, batches: Callable[[tuple[int, int]], tf.data.Dataset]
) -> tf.distribute.DistributedDataset:
    """Batches of a pipeline for the replicas of every worker.

    Args:
        strategy: A `tf.distribute.Strategy`.
        batches: Function of `(index, count)`, a worker's number and how many there are, that
            returns a dataset of the worker's part of every global batch.

    Returns:
        A distributed dataset: its elements go to the functions that `strategy.run` runs.
    """

    @tf.autograph.experimental.do_not_convert  # which would read and rewrite the pipeline's code
    def parts(context):
        dataset = batches((context.input_pipeline_id, context.num_input_pipelines))
        replicas = strategy.num_replicas_in_sync // context.num_input_pipelines
        return dataset if replicas == 1 else dataset.flat_map(_split(replicas)).prefetch(2)

    return strategy.distribute_datasets_from_function(parts)


def _split(replicas):
    """Cuts a worker's batch into one for each of its replicas."""

    def split(batch):
        def cut(array):
            return tf.reshape(array, [replicas, array.shape[0] // replicas, *array.shape[1:]])

        return tf.data.Dataset.from_tensor_slices(tf.nest.map_structure(cut, batch))

    return split


def _resolver(gpus):
    text = os.environ.get("TF_CONFIG")
    if not text:
        return slurm.resolver(gpus)
    described = cluster.parse_tf_config(text)
    if described.task_type is None:
        raise ValueError(
            'TF_CONFIG does not say which of the workers this is, e.g. "task": {"type": "worker", '
            f'"index": 0}}. Received: {text}'
        )
    return tf.distribute.cluster_resolver.SimpleClusterResolver(
        tf.train.ClusterSpec(described.jobs),
        task_type=described.task_type,
        task_id=described.task_id,
        num_accelerators={"GPU": len(gpus)},
        rpc_layer="grpc",
    )


def check_batch(strategy: tf.distribute.Strategy, batch_size: int, parts: int) -> None:
    """Refuses a global batch that cannot be split.

    Args:
        strategy: A `tf.distribute.Strategy`.
        batch_size: Images of a step, over all replicas.
        parts: In which a replica takes its own, one after the other.

    Raises:
        ValueError: If the replicas, or the parts, would be of different sizes.
    """
    replicas = strategy.num_replicas_in_sync
    if batch_size % (replicas * parts):
        each = f" times {parts} parts" if parts > 1 else ""
        raise ValueError(
            f"`batch_size` must be a multiple of the {replicas} replicas{each}. "
            f"Received: batch_size={batch_size}."
        )
