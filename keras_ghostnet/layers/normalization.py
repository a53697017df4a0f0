"""Batch norm that trains by one op where TensorFlow is the backend; those of a whole network."""

import contextlib
from collections.abc import Iterable, Iterator

import keras

from keras_ghostnet.layers.types import Tensor

PACKAGE = "keras_ghostnet"  # the scope of every registered class
FUSIBLE = ("float32", "bfloat16", "float16")


@keras.saving.register_keras_serializable(package=PACKAGE)
class BatchNormalization(keras.layers.BatchNormalization):
    """Batch norm whose training step is TensorFlow's fused op.

    `keras.layers.BatchNormalization` computes the moments and the output of a batch by a dozen
    plain ops, half of the time of a GhostNet's training step on a CPU. This layer takes one op for
    them. Statistics that are synchronized take one reduction over the replicas, and one for their
    gradient, instead of five; replicas may have different numbers of images. Everything else, the
    weights, the moving statistics and inference included, is `keras.layers.BatchNormalization`, and
    so is training on other backends, in float64, under a mask, and of inputs without height and
    width.

    Args:
        **kwargs: All arguments of `keras.layers.BatchNormalization`.

    Input shape: `(batch, height, width, channels)`, or channels first with `axis=1`.
    Output shape: the same.
    """

    def call(
        self, inputs: Tensor, training: bool | None = None, mask: Tensor | None = None
    ) -> Tensor:
        if not (training and self.trainable and mask is None and self._is_fusible(inputs)):
            return super().call(inputs, training=training, mask=mask)
        import tensorflow as tf  # loaded by the backend already

        # Not `tf.compat.v1.nn.fused_batch_norm`, which lets no epsilon be less than 1.001e-5.
        outputs, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=inputs,
            scale=tf.convert_to_tensor(self.gamma),
            offset=tf.convert_to_tensor(self.beta),
            mean=[],
            variance=[],
            epsilon=self.epsilon,
            data_format="NCHW" if self.axis == 1 else "NHWC",
            is_training=True,
        )
        # The op estimates the variance of all images, Keras keeps that of the batch.
        values = tf.cast(tf.size(inputs) // inputs.shape[self.axis], variance.dtype)
        variance = variance * ((values - 1) / values)
        for moving, new in ((self.moving_mean, mean), (self.moving_variance, variance)):
            updated = moving * self.momentum + new * (1.0 - self.momentum)
            # Of the last batch of a data set a replica may get no images, which have no statistics.
            moving.assign(updated if inputs.shape[0] else tf.where(values > 0, updated, moving))
        return outputs

    def _moments(self, inputs, mask):
        """Mean and variance of a batch; synchronized by one reduction, where Keras takes three."""
        if mask is not None or self._replicas() == 1:
            return super()._moments(inputs, mask)
        import tensorflow as tf

        context = tf.distribute.get_replica_context()
        x = tf.cast(inputs, self.variable_dtype)
        axes = [axis for axis in range(len(x.shape)) if axis != self.axis % len(x.shape)]
        count = tf.cast(tf.size(x) // x.shape[self.axis], x.dtype)  # may differ between replicas
        sums = [tf.reduce_sum(x, axes), tf.reduce_sum(tf.square(x), axes), count[None]]
        sums = context.all_reduce(tf.distribute.ReduceOp.SUM, tf.concat(sums, axis=0))
        mean, squares = tf.split(sums[:-1] / sums[-1], 2)
        return mean, tf.maximum(squares - tf.square(mean), 0)

    def _replicas(self):
        """The number of replicas over which the statistics are taken."""
        if not self.synchronized or keras.backend.backend() != "tensorflow":
            return 1
        import tensorflow as tf

        context = tf.distribute.get_replica_context()
        return context.num_replicas_in_sync if context else 1

    def _is_fusible(self, inputs):
        return (
            keras.backend.backend() == "tensorflow"
            and len(inputs.shape) == 4
            and self.axis in (1, 3, -1)
            and inputs.dtype.name in FUSIBLE
            and self.variable_dtype == "float32"
            and self.scale
            and self.center
            and self._replicas() == 1
            and not getattr(self, "renorm", False)  # older than Keras 3.13 does not have it
        )


def batch_norms(model: keras.layers.Layer) -> Iterator[keras.layers.BatchNormalization]:
    """All batch norms of a network, those inside composite layers and nested models too.

    `model.layers` lists the layers of the graph, and so the blocks of these networks but nothing
    that they are made of.
    """
    for layer in model._flatten_layers():  # Keras has no public way down into composite layers
        if isinstance(layer, keras.layers.BatchNormalization):
            yield layer


def pooled_batch_norms(model: keras.layers.Layer) -> Iterator[keras.layers.BatchNormalization]:
    """The batch norms of a network that see one value per image and channel.

    Those are the ones of pooled maps, as in G-GhostNet's mix, of vectors, and of maps that are one
    pixel large. Maps of any size are not among them.
    """
    for layer in batch_norms(model):
        shape = layer.get_build_config()["input_shape"]
        axis = layer.axis % len(shape)
        if all(size == 1 for index, size in enumerate(shape) if index not in (0, axis)):
            yield layer


@contextlib.contextmanager
def synchronized(
    model: keras.layers.Layer, chosen: Iterable[keras.layers.BatchNormalization]
) -> Iterator[None]:
    """Within it, these batch norms of a network are synchronized, and no others.

    Only training steps that are traced or run within it are: a model that is saved after it, which
    other backends would refuse, does not know of it.
    """
    identities = set(map(id, chosen))
    before = [(layer, layer.synchronized) for layer in batch_norms(model)]
    for layer, _ in before:
        layer.synchronized = id(layer) in identities
    try:
        yield
    finally:
        for layer, value in before:
            layer.synchronized = value


def freeze_batch_norm(model: keras.layers.Layer) -> int:
    """Freezes all batch norms of a network, for fine-tuning on few images or in small batches.

    In training they then normalize by their moving statistics, as in inference, and keep these
    and their scales and offsets; everything else goes on learning. Compile the model afterwards.
    A saved file keeps `trainable` of the layers in `model.layers` alone: call this again on a
    loaded model.

    Args:
        model: A Keras model or layer. Batch norms are found at any depth, where
            `for layer in model.layers` finds 2 of the 80 in a GhostNet.

    Returns:
        The number of batch norms of the network, all of them frozen now.
    """
    layers = list(batch_norms(model))
    for layer in layers:
        layer.trainable = False
    return len(layers)
