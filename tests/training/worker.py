"""A short training in a process of its own: `python -m tests.training.worker STRATEGY SYNC OUT`.

In float64, so that what is left of a difference is not rounding but a fault.
"""

import sys

import keras
import numpy as np
import tensorflow as tf

BATCH, STEPS, CLASSES = 8, 4, 5


def main(strategy_name, synchronized, out):
    if strategy_name == "mirrored":
        (cpu,) = tf.config.list_physical_devices("CPU")
        tf.config.set_logical_device_configuration(
            cpu, [tf.config.LogicalDeviceConfiguration()] * 2
        )
    from keras_ghostnet import layers
    from keras_ghostnet.training import distribution
    from keras_ghostnet.training.evaluator import Evaluator
    from keras_ghostnet.training.loop import Loop
    from keras_ghostnet.training.recipes import Recipe

    strategy = distribution.strategy(strategy_name)
    recipe = Recipe(
        name="test", model="ghostnet_050", epochs=1, batch_size=BATCH, learning_rate=0.05,
        warmup_epochs=0.5, l2=1e-3, label_smoothing=0.1, ema=0.5, clip_norm=2.0,
    )  # fmt: skip

    def build():
        keras.utils.set_random_seed(3)
        keras.config.set_dtype_policy("float64")
        # Every kind of weight that a GhostNet has, in a network that is compiled quickly.
        inputs = keras.Input((32, 32, 3))
        x = layers.GhostModule(8, kernel_size=3, strides=2)(inputs)
        x = layers.GhostBottleneck(16, 12, strides=2, se_ratio=0.25)(x)
        x = layers.RegNetBlock(12, 4, strides=2)(x)
        x = keras.layers.GlobalAveragePooling2D()(x)
        model = keras.Model(inputs, keras.layers.Dense(CLASSES)(x))
        for layer in model._flatten_layers():
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.synchronized = synchronized
        return model

    loop = Loop(recipe, build, STEPS, strategy)
    losses = [
        float(loop.train_step(batch)[0]) for batch in distribution.distribute(strategy, batches)
    ]
    with loop.evaluated_weights() as model:
        evaluator = Evaluator(model, strategy)
        sums = [evaluator.sums(b) for b in distribution.distribute(strategy, batches)]
        sums = np.sum(sums, axis=0)
        saved = [weight.numpy() for weight in model.weights]
    state = loop.state()
    loop.restore(state)
    assert all(
        np.array_equal(a, b) for a, b in zip(state.values(), loop.state().values(), strict=True)
    )
    if distribution.is_chief(strategy):
        weights = {str(i): value for i, value in enumerate(saved)}
        np.savez(out, losses=losses, sums=sums, trained=loop.optimizer.iterations, **weights)


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
    main(sys.argv[1], sys.argv[2] == "synchronized", sys.argv[3])
