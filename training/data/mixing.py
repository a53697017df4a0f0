"""Mixup (Zhang et al., 2018) and CutMix (Yun et al., 2019), both as masks.

An example is mixed with its neighbor in the batch, the first with the second, the third with the
fourth and so on, so that a batch may be cut into shards between the pairs.
"""

import tensorflow as tf

from keras_ghostnet.training.data import images


def mixing_mask(seed: tf.Tensor, size: tuple[int, int], mixup: float, cutmix: float) -> tf.Tensor:
    """Which part of an example stays its own, pixel by pixel.

    Args:
        seed: An integer tensor `(2,)`.
        size: `(height, width)` of the images.
        mixup: Alpha of the beta distribution of mixup's share; 0 for none.
        cutmix: Likewise for CutMix's area. If both are set, one of them is tossed for.

    Returns:
        Float32 `(height, width, 1)` in [0, 1]: for mixup the same everywhere, for CutMix 0
        within a rectangle and 1 outside.
    """
    toss, share, place = tf.unstack(tf.random.split(seed, 3))
    cuts = tf.random.stateless_uniform([], toss) < (0.5 if mixup and cutmix else float(cutmix > 0))
    if not (mixup or cutmix):
        return tf.ones((*size, 1))
    share = _beta(share, tf.where(cuts, cutmix, mixup))
    sides = tf.constant(size, tf.float32)
    center = tf.random.stateless_uniform([2], place) * sides
    half = sides * tf.sqrt(1 - share) / 2
    begin = tf.cast(tf.round(tf.clip_by_value(center - half, 0, sides)), tf.int32)
    end = tf.cast(tf.round(tf.clip_by_value(center + half, 0, sides)), tf.int32)
    cut = images.inside(size, *tf.unstack(begin), *tf.unstack(end - begin))
    return tf.where(cuts, tf.where(cut, 0.0, 1.0), share)


def mix(
    pictures: tf.Tensor, labels: tf.Tensor, masks: tf.Tensor, weights: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Mixes the neighbors of a batch.

    Args:
        pictures: Float32 `(batch, height, width, 3)`, an even batch.
        labels: Float32 `(batch, classes)`.
        masks: Of `mixing_mask`, `(batch, height, width, 1)`.
        weights: Float32 `(batch,)`: an example of weight 0 is not mixed into another.

    Returns:
        The mixed images, and the labels mixed by the same shares of the pixels.
    """
    masks = tf.where(_swap(weights)[:, None, None, None] > 0, masks, 1.0)
    shares = tf.reduce_mean(masks, axis=(1, 2))
    return (
        pictures * masks + _swap(pictures) * (1 - masks),
        labels * shares + _swap(labels) * (1 - shares),
    )


def mix_examples(examples: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """Mixes a batch of examples: `mix`, with the dict of `Pipeline.batches` and its `mask`."""
    examples = dict(examples)
    masks = examples.pop("mask")
    pictures, labels = mix(examples["image"], examples["label"], masks, examples["weight"])
    return {**examples, "image": pictures, "label": labels}


def _swap(batch):
    """Every example's neighbor in its place."""
    shape = tf.shape(batch)
    pairs = tf.reshape(batch, tf.concat([[shape[0] // 2, 2], shape[1:]], axis=0))
    return tf.reshape(tf.reverse(pairs, axis=[1]), shape)


def _beta(seed, alpha):
    """A sample of Beta(alpha, alpha)."""
    first, second = tf.unstack(tf.random.stateless_gamma([2], seed, alpha))
    total = first + second
    # A small alpha makes both of them underflow now and then.
    return tf.where(total > 0, first / total, 1.0)
