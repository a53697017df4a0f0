"""A short training of a network that was trained before."""

import math

import tensorflow as tf
import tf_keras

from keras_ghostnet.console import progress

WARMUP = 0.1  # fraction of the steps in which the learning rate rises to its peak


def fine_tune(
    student, variables, teacher, batches, *, learning_rate, distillation, console, before_step=None
):
    """Trains with Adam, a warm-up and a cosine.

    Args:
        student: A function of images that returns logits `(n, classes)`, or maps of them.
        variables: Those of it that are trained, or a function that returns them.
        teacher: A function of images that returns the same of the network as it was.
        batches: `Batches`.
        learning_rate: The peak.
        distillation: The fraction of the loss, in [0, 1], that is the mean square of the distance
            to the teacher, in units of the variance of its outputs; the rest is the labels' cross
            entropy.
        console: A `rich.console.Console`.
        before_step: Called with the number of the step before each.

    Returns:
        One dictionary an epoch: `loss` and `accuracy`, means over its images.

    Raises:
        FloatingPointError: If the loss is not finite.
    """
    warmup = math.ceil(batches.steps * WARMUP)
    schedule = tf_keras.optimizers.schedules.CosineDecay(
        0.0, max(1, batches.steps - warmup), warmup_target=learning_rate, warmup_steps=warmup
    )
    optimizer = tf_keras.optimizers.Adam(schedule)
    optimizer.build(variables)

    @tf.function(
        input_signature=[
            tf.TensorSpec((None, *batches.shape)),
            tf.TensorSpec((None, *batches.map_size, batches.classes)),
            tf.TensorSpec((None,)),
        ],
        autograph=False,
    )
    def step(images, labels, weights):
        taught = teacher(images)
        spread = tf.math.reduce_variance(taught)
        with tf.GradientTape() as tape:
            logits = student(images)
            logarithms = tf.nn.log_softmax(logits)
            distance = tf.reduce_mean(tf.math.squared_difference(logits, taught), axis=-1)
            distance = tf.math.divide_no_nan(distance, spread)
            entropy = -tf.reduce_sum(labels * logarithms, axis=-1)
            errors = distillation * distance + (1 - distillation) * entropy
            losses = weights * _of_images(errors, labels)
            loss = tf.math.divide_no_nan(tf.reduce_sum(losses), tf.reduce_sum(weights))
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        right = tf.equal(tf.argmax(logarithms, axis=-1), tf.argmax(labels, axis=-1))
        right = tf.reduce_sum(weights * _of_images(tf.cast(right, "float32"), labels))
        return loss, tf.reduce_sum(losses), right, tf.reduce_sum(weights)

    history, sums = [], [0.0, 0.0, 0.0]
    epochs = math.ceil(batches.steps / batches.epoch_steps)
    with progress(console, "fine-tuning", batches.steps) as show:
        for number, batch in enumerate(batches, start=1):
            if before_step:
                before_step(number - 1)
            loss, *counted = map(float, step(*batch))
            if not math.isfinite(loss):
                raise FloatingPointError(
                    f"The loss is {loss} in step {number}. Look for values in the images that are "
                    "not finite, or lower `learning_rate`."
                )
            sums = [total + value for total, value in zip(sums, counted, strict=True)]
            show(number, f"loss {loss:.4f}")
            if number % batches.epoch_steps == 0 or number == batches.steps:
                count = sums[2] or 1.0
                history.append({"loss": sums[0] / count, "accuracy": sums[1] / count})
                sums = [0.0, 0.0, 0.0]
                console.print(
                    f"          epoch {len(history)}/{epochs}  loss {history[-1]['loss']:.4f}  "
                    f"accuracy {history[-1]['accuracy']:.2%}"
                )
    return history


def _of_images(values, labels):
    """The means over each image's pixels that have a class `(n,)`; of images `(n,)`, the values."""
    if values.shape.rank == 1:
        return values
    counted = tf.reduce_sum(labels, axis=-1)  # of pixels without a class it is 0
    total = tf.reduce_sum(values * counted, axis=(1, 2))
    return tf.math.divide_no_nan(total, tf.reduce_sum(counted, axis=(1, 2)))
