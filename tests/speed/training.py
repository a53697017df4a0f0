"""Prints how fast GhostNet 1.0 trains, against timm's in PyTorch, and what the trainer costs.

Four sides take turns on two cores, each with one batch of 32 images of 224 x 224 that it takes
again and again: timm's `ghostnet_100` in PyTorch, channels last; the bare Keras step, compiled;
the same with the kernels that TensorFlow takes of its own accord, the others having oneDNN's, as
the `ghostnet` command has; and a run of the trainer with the recipe of the paper, logs and progress
included, the reading of images not. timm is taken from the Python interpreter that TORCH_PYTHON
names, or from this one.
"""

import contextlib
import os
import pathlib
import platform
import statistics
import sys
import tempfile
import time

import numpy as np
from sides import PEERS, TORCH_PYTHON, Side, serve, take_turns

CORES = 2
BATCH = 32
STEPS = 8  # of a turn
ROUNDS = 9
CLASSES = 1000
ONEDNN = "TF_ENABLE_ONEDNN_OPTS"
TARGETS = {
    ("Keras step", "timm"): 1.5,
    ("trainer", "timm"): 1.5,
    ("trainer", "Keras step"): 0.97,
    ("Keras step", "TensorFlow's"): 0.97,
}


def versions():
    import keras
    import tensorflow as tf

    return f"Keras {keras.__version__}, TensorFlow {tf.__version__}"


def fixed_batch():
    """Images and labels."""
    images = np.random.default_rng(0).normal(size=(BATCH, 224, 224, 3))
    return images.astype("float32"), np.arange(BATCH, dtype="int32")


def keras_step():
    """The compiled step and nothing else."""
    import keras
    import tensorflow as tf

    import keras_ghostnet

    keras.utils.set_random_seed(0)
    model = keras_ghostnet.GhostNet(classifier_activation=None)
    optimizer = keras.optimizers.SGD(0.01, momentum=0.9)
    optimizer.build(model.trainable_weights)
    images, labels = map(tf.constant, fixed_batch())

    @tf.function(jit_compile=False)
    def step():
        with tf.GradientTape() as tape:
            logits = model(images, training=True)
            loss = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
            loss = tf.reduce_mean(loss)
        weights = model.trainable_weights
        gradients = tape.gradient(loss, [weight.value for weight in weights])
        optimizer.apply(gradients, weights)
        return loss

    def turn():
        start = time.perf_counter()
        for _ in range(STEPS):
            step().numpy()
        return BATCH * STEPS / (time.perf_counter() - start)

    step()
    serve(versions(), turn)


def trainer():
    """A whole run, each of whose epochs is a turn; what it says of its rate is the answer."""
    import dataclasses

    import rich.console
    import tensorflow as tf

    from keras_ghostnet.training import recipes, run

    class FixedBatch(run.Pipeline):
        """Waits for its turn before every epoch, and then gives the same batch all the time."""

        def steps_per_epoch(self, global_batch):
            return STEPS if self.training else super().steps_per_epoch(global_batch)

        def batches(self, epoch, **options):
            if not self.training:
                return super().batches(epoch, **options)
            if epoch == 1:
                print(versions(), flush=True)  # the first epoch built the graph
            elif epoch:
                print(training.history[-1]["images_per_second"], flush=True)
            if epoch and not sys.stdin.readline():
                raise run.Stopped
            images, labels = fixed_batch()
            batch = {"image": images, "label": labels, "weight": np.ones(BATCH, "float32")}
            batch["index"] = labels.astype("int64")
            return tf.data.Dataset.from_tensors(batch).cache().repeat(STEPS)

    run.Pipeline = FixedBatch
    recipe = dataclasses.replace(
        recipes.get_recipe("ghostnet_100_imagenet"), batch_size=BATCH, epochs=ROUNDS + 2
    )
    with tempfile.TemporaryDirectory() as folder:
        for number in range(CLASSES):
            write_image(pathlib.Path(folder, "photographs", "train", f"{number:03}", "0.jpg"))
        write_image(pathlib.Path(folder, "photographs", "val", "000", "0.jpg"))
        training = run.Run(
            recipe,
            pathlib.Path(folder, "photographs"),
            pathlib.Path(folder, "run"),
            strategy="one_device",
            console=rich.console.Console(quiet=True),
        )
        with contextlib.suppress(run.Stopped):
            training.execute()


def write_image(path):
    import PIL.Image

    path.parent.mkdir(parents=True)
    PIL.Image.new("RGB", (32, 32)).save(path)


def compare():
    """Lets the sides take turns; whether the targets are reached."""
    if hasattr(os, "sched_setaffinity"):  # Linux; the processes that are started inherit it
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    own_choice = {name: value for name, value in os.environ.items() if name != ONEDNN}
    os.environ.setdefault(ONEDNN, "1")
    sides = {
        "timm": Side(TORCH_PYTHON, PEERS, "timm", BATCH, STEPS),
        "Keras step": Side(sys.executable, __file__, "keras_step"),
        "TensorFlow's": Side(sys.executable, __file__, "keras_step", environment=own_choice),
        "trainer": Side(sys.executable, __file__, "trainer"),
    }
    rows = take_turns(sides, ROUNDS)
    for name, side in sides.items():
        rates = [row[name] for row in rows]
        print(
            f"{name:<12} {statistics.median(rates):6.1f} images/s "
            f"({min(rates):.1f} to {max(rates):.1f})   {side.versions}"
        )
    print(
        f"GhostNet 1.0, 224 px, batch {BATCH}: medians of {ROUNDS} alternating rounds of {STEPS} "
        f"steps; {CORES} cores, {platform.machine()}"
    )
    reached = True
    for (ours, theirs), target in TARGETS.items():
        ratios = [row[ours] / row[theirs] for row in rows]
        ratio = statistics.median(ratios)
        reached &= ratio >= target
        print(
            f"{ours} / {theirs} = {ratio:.2f} ({min(ratios):.2f} to {max(ratios):.2f})   "
            f"(at least {target})"
        )
    return 0 if reached else 1


if __name__ == "__main__":
    sys.exit({"keras_step": keras_step, "trainer": trainer}.get("".join(sys.argv[1:]), compare)())
