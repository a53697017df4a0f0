"""How well a classifier does on a source: every example once, for any number of workers."""

import keras
import tensorflow as tf

from keras_ghostnet.training import distribution
from keras_ghostnet.training.logits import logits

TOP = 5


class Evaluator:
    """Loss and accuracies of a model, compiled once.

    Args:
        model: A Keras classifier, ending in logits or in a softmax.
        strategy: A `tf.distribute.Strategy`; the model was built in its scope.
    """

    def __init__(self, model, strategy):
        self.model, self.strategy = model, strategy
        self._sums = tf.function(self._global_sums, jit_compile=False)

    def evaluate(self, pipeline, batch_size, progress=None):
        """Goes once through a pipeline.

        Args:
            pipeline: A `Pipeline` that was made with `training=False`.
            batch_size: Examples at a time, over all replicas; rounded up to a multiple of them.
                It does not change the result.
            progress: Function of the number of batches that are done, or None.

        Returns:
            A dictionary: `loss` (cross-entropy), `accuracy` and `top5`, parts of `examples`, the
            number of those that could be used.

        Raises:
            ValueError: If more examples are bad than the pipeline allows, or none can be used.
        """
        replicas = self.strategy.num_replicas_in_sync
        size = -(-batch_size // replicas) * replicas
        totals = [0.0] * 4

        def batches(shard):
            return pipeline.batches(0, global_batch=size, shard=shard)

        with pipeline.explained():
            for done, batch in enumerate(distribution.distribute(self.strategy, batches), start=1):
                totals = [sum(pair) for pair in zip(totals, self.sums(batch), strict=True)]
                if progress:
                    progress(done)
        loss, correct, near, weight = totals
        if not weight:
            raise ValueError(f"{pipeline.source.name} has no example that can be used.")
        return {
            "loss": loss / weight,
            "accuracy": correct / weight,
            "top5": near / weight,
            "examples": round(weight),
        }

    def sums(self, batch):
        """Sums over one global batch: loss, correct ones, those among the top five, weight.

        Args:
            batch: An element of `distribution.distribute`.

        Returns:
            Four floats.
        """
        return self._sums(batch).numpy().tolist()

    def _global_sums(self, batch):
        return self.strategy.reduce("SUM", self.strategy.run(self._step, (batch,)), axis=None)

    def _step(self, batch):
        labels, weight = batch["label"], batch["weight"]
        outputs = logits(self.model, batch["image"])
        losses = keras.losses.sparse_categorical_crossentropy(labels, outputs, from_logits=True)
        near = tf.math.in_top_k(labels, outputs, min(TOP, outputs.shape[-1]))
        parts = (losses, correct(labels, outputs), tf.cast(near, "float32"), tf.ones_like(weight))
        return tf.stack([tf.reduce_sum(part * weight) for part in parts])


def correct(labels, outputs):
    """Which examples are classified rightly.

    Args:
        labels: Classes `(n,)`, or shares of all classes `(n, classes)`: the largest counts.
        outputs: Logits `(n, classes)`.

    Returns:
        Float32 `(n,)`, 0 or 1.
    """
    if labels.shape.rank == 2:
        labels = tf.argmax(labels, axis=-1, output_type=tf.int32)
    return tf.cast(tf.argmax(outputs, axis=-1, output_type=labels.dtype) == labels, "float32")
