"""How tf.data runs the pipeline's datasets."""

import tensorflow as tf


def dataset_options(threads: int | None = None) -> tf.data.Options:
    """Options of a dataset that is in order, and that nothing is to rewrite or tune.

    Args:
        threads: Of its own, for a dataset whose functions wait, each holding one; None takes those
            that all share, one per core.
    """
    options = tf.data.Options()
    options.deterministic = True
    # They find nothing to improve here, and take a fifth of an epoch's start.
    options.experimental_optimization.apply_default_optimizations = False
    # There is nothing to tune, and the end of an epoch waits for the tuner, which sleeps for
    # longer and longer.
    options.autotune.enabled = False
    if threads:
        options.threading.private_threadpool_size = threads
    # The shards are made by the pipeline: tf.distribute must not cut them once more.
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.OFF
    return options
