"""Keras' own `fit` in a process of its own: started by test_fit_under_strategy."""

import contextlib
import sys

import keras
import numpy as np
import tensorflow as tf

from keras_ghostnet.layers.normalization import batch_norms
from tests.training.worker import BATCH, CLASSES, STEPS, batches, network


def main(name, out):
    (cpu,) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    if name == "mirrored":
        strategy = tf.distribute.MirroredStrategy(["cpu:0", "cpu:1"])
    elif name == "multi_worker":
        strategy = tf.distribute.MultiWorkerMirroredStrategy()
    else:
        strategy = tf.distribute.OneDeviceStrategy("cpu:0") if name == "one_device" else None
    keras.config.set_dtype_policy("float64")
    data = batches((0, 1)).map(lambda batch: (batch["image"], batch["label"]))
    with strategy.scope() if strategy else contextlib.nullcontext():
        model = network()
        for layer in batch_norms(model):
            layer.synchronized = True
        model.compile(
            keras.optimizers.SGD(0.05, momentum=0.9),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=["accuracy"],
            jit_compile=False,
        )
    history = model.fit(data, epochs=2, verbose=0).history
    results = {f"history/{key}": value for key, value in history.items()}
    results["logits"] = model.predict(data, verbose=0)
    for variable in model.trainable_variables:
        values = strategy.experimental_local_results(variable.value) if strategy else [variable]
        results[f"replicas/{variable.path}"] = np.stack([value.numpy() for value in values])
    assert results["logits"].shape == (STEPS * BATCH, CLASSES)
    np.savez(out, **results)


if __name__ == "__main__":
    main(*sys.argv[1:])
