"""Training steps of batch norms on one and two replicas: started by test_normalization."""

import sys

import keras
import numpy as np
import tensorflow as tf

from keras_ghostnet.layers import BatchNormalization

SHARES = ((3, 2), (5, 0))  # images of each replica
ALONE = (5,)
SHAPE = (4, 4, 3)
POLICIES = ("float32", "mixed_bfloat16", "mixed_float16")


def main(out):
    """Writes what `step` returns as `POLICY/SHARES/NAME`; alone it is Keras' own batch norm."""
    (cpu,) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    results = {}
    for policy in POLICIES:
        keras.config.set_dtype_policy(policy)
        for shares in (*SHARES, ALONE):
            strategy = tf.distribute.MirroredStrategy([f"cpu:{n}" for n in range(len(shares))])
            with strategy.scope():
                if shares == ALONE:
                    layer = keras.layers.BatchNormalization()
                else:
                    layer = BatchNormalization(synchronized=True)
                layer.build((None, *SHAPE))
            for name, value in step(strategy, layer, shares).items():
                results[f"{policy}/{shares}/{name}"] = np.asarray(value, "float32")
    np.savez(out, **results)


def step(strategy, layer, shares):
    """Outputs, gradients and moving statistics of a step, by name."""
    rng = np.random.default_rng(0)
    images, weights = rng.normal(1, 2, (2, sum(shares), *SHAPE)).astype("float32")

    def replica_step(x, weight):
        x = tf.cast(x, layer.compute_dtype)
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x, training=True)
            loss = tf.reduce_sum(tf.cast(y, "float32") ** 2 * weight)
        return y, *tape.gradient(loss, [x, layer.gamma.value, layer.beta.value])

    def split(array):
        parts = tf.split(array, shares)
        return strategy.experimental_distribute_values_from_function(
            lambda context: parts[context.replica_id_in_sync_group]
        )

    train = tf.function(lambda *batch: strategy.run(replica_step, batch), autograph=False)
    local = strategy.experimental_local_results
    outputs, inputs, gamma, beta = map(local, train(split(images), split(weights)))
    results = {"outputs": tf.concat(outputs, axis=0), "inputs": tf.concat(inputs, axis=0)}
    results |= {"gamma": sum(gamma), "beta": sum(beta)}
    for name in ("moving_mean", "moving_variance"):
        first, *others = [value.numpy() for value in local(getattr(layer, name).value)]
        for other in others:
            np.testing.assert_array_equal(other, first)
        results[name] = first
    return results


if __name__ == "__main__":
    main(*sys.argv[1:])
