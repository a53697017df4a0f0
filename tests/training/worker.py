"""A short training, which test_distribution starts in processes of its own.

With all batch norms synchronized or those of pooled maps, evaluated on photographs. In float64, so
that what is left of a difference is not rounding but a fault. Every worker writes a file.
"""

import dataclasses
import sys

import keras
import numpy as np
import tensorflow as tf

BATCH, STEPS, CLASSES = 8, 4, 13
SIZES = (5, 32)  # of batches of evaluation


def main(strategy_name, devices, mode, photos, out):
    (cpu,) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(
        cpu, [tf.config.LogicalDeviceConfiguration()] * devices
    )
    from keras_ghostnet.training import distribution

    strategy = distribution.strategy(strategy_name)
    keras.config.set_dtype_policy("float64")
    results = train(strategy, photos, mode)
    chief = distribution.is_chief(strategy)
    np.savez(out.format("chief" if chief else strategy.cluster_resolver.task_id), **results)


def train(strategy, photos, mode):
    """Everything that can be known of a training and of the evaluation after it, by name."""
    from keras_ghostnet.training import distribution
    from keras_ghostnet.training.data import Pipeline, open_source
    from keras_ghostnet.training.evaluation import Evaluator
    from keras_ghostnet.training.loop import Loop
    from keras_ghostnet.training.recipes import Recipe

    recipe = Recipe(
        name="test", model="ghostnet_050", epochs=1, batch_size=BATCH, learning_rate=0.05,
        warmup_epochs=0.5, l2=1e-3, label_smoothing=0.1, ema=0.5, clip_norm=2.0,
        synchronized_bn=mode,
    )  # fmt: skip
    loop = Loop(recipe, network, STEPS, strategy)
    distributed = list(distribution.distribute(strategy, batches))
    losses = [float(loop.train_step(batch)[0]) for batch in distributed]
    results = {"losses": losses, "trained": loop.optimizer.iterations.numpy()}
    results[f"collectives/{mode}"] = collectives(*loop._train._list_all_concrete_functions())
    state = loop.state()
    for name, value in state.items():  # this worker's own view of what all share
        results[name] = value
    with loop.evaluated_weights() as model:
        for variable in model.variables:
            results[f"saved/{variable.path}"] = variable.numpy()
        evaluator = Evaluator(model, strategy)
        pipeline = Pipeline(open_source(photos, "val"), image_size=32, training=False)
        for size in SIZES:
            found = evaluator.evaluate(pipeline, size)
            results[f"evaluated/{size}"] = [found.loss, found.accuracy, found.top5]
            results[f"examples/{size}"] = np.stack([found.indices, found.labels])
    loop.restore(state)
    for name, value in loop.state().items():
        np.testing.assert_array_equal(value, state[name], err_msg=name)
    if mode == "all" and strategy.num_replicas_in_sync > 1 and distribution.is_chief(strategy):
        # At the end: in what follows a trace by one worker alone, the others take no part.
        loop.recipe = dataclasses.replace(recipe, synchronized_bn="pooled")
        step = tf.function(loop._train_step, autograph=False)
        traced = step.get_concrete_function(distributed[0], tf.zeros(2))
        results["collectives/pooled"] = collectives(traced)
    return results


def collectives(step):
    """How many reductions over the workers a step has, by the operators of its graph."""
    graph = step.graph.as_graph_def()
    nodes = [*graph.node, *(node for each in graph.library.function for node in each.node_def)]
    return sum(node.op.startswith("CollectiveReduce") for node in nodes)


def network():
    """Every kind of weight that a GhostNet has, in a network that is compiled quickly."""
    from keras_ghostnet import layers

    keras.utils.set_random_seed(3)
    inputs = keras.Input((32, 32, 3))
    x = layers.GhostModule(8, kernel_size=3, strides=2, name="ghost")(inputs)
    x = layers.GhostBottleneck(16, 12, strides=2, se_ratio=0.25, name="bottleneck")(x)
    x = layers.RegNetBlock(12, 4, strides=2, name="block")(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    x = keras.layers.Dense(8, use_bias=False, name="dense")(x)
    x = layers.BatchNormalization(name="pooled")(x)
    return keras.Model(inputs, keras.layers.Dense(CLASSES, name="predictions")(x))


def batches(shard):
    """This worker's part of every global batch."""
    index, count = shard
    rng = np.random.default_rng(0)
    images = rng.standard_normal((STEPS, BATCH, 32, 32, 3))
    labels = rng.integers(0, CLASSES, (STEPS, BATCH)).astype("int32")
    part = slice(index * BATCH // count, (index + 1) * BATCH // count)
    weight = np.ones((STEPS, BATCH // count), "float32")
    return tf.data.Dataset.from_tensor_slices(
        {"image": images[:, part], "label": labels[:, part], "weight": weight}
    )


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), *sys.argv[3:])
