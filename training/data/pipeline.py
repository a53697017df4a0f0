"""The batches that training and evaluation take, the same for any number of workers."""

import contextlib
import functools
import os
import traceback
from collections.abc import Iterator, Sequence

import numpy as np
import tensorflow as tf

from keras_ghostnet.model_input import NORMALIZED, PIXELS
from keras_ghostnet.training.data import decoding, images, labels, mixing, service, transforms
from keras_ghostnet.training.data.augmentation import Augmentation
from keras_ghostnet.training.data.bad_examples import BadExamples
from keras_ghostnet.training.data.dataset_options import dataset_options
from keras_ghostnet.training.data.sources import ImageSource

PADDING = -1  # the index of an example that only fills the last batch
GROUP = 32  # examples that one thread makes in a row, at most
PREFETCHED = 2  # batches that are ready, at most
VARY, MIX = (0, 1), (0, 2)  # added to an example's key for what comes after its crop


class Pipeline:
    """Reads, decodes, varies and batches the examples of a source.

    Everything random is keyed by (seed, epoch, index of the example), and the order of an epoch
    by (seed, epoch): so the global batch of a step holds the same examples with the same pixels
    for any number of shards and threads, whatever was read before it.

    Args:
        source: An `ImageSource`, of images with a class each or with maps of classes.
        image_size: Height and width in pixels, `(height, width)` or one integer for both.
        training: Whether to shuffle and to augment. Otherwise the examples come in order, every
            one exactly once, each resized and cropped at its center.
        augmentation: An `Augmentation`; None takes its defaults. Training only.
        seed: An integer from 0.
        crop: Evaluation only: the fraction of the resized image's shorter side that is kept.
        bad_limit: The fraction of the examples that may be unusable, in [0, 1]; None
            takes a thousandth, or five examples if that is more. Those have weight 0; one more
            than that stops the reading.
        bad_examples: A CSV file that names them, path and reason; None writes none. Every process
            counts the ones it meets.
        threads: Groups of examples that are prepared at once; None takes one per core.
        services: Addresses `HOST:PORT` of `service.Server`s that prepare them instead.
        input: What the model takes, of `keras_ghostnet.model_input.INPUTS`.

    Attributes:
        class_names: The classes in the order of the labels.
        examples: The number of examples of the source.
        jpegs: Whether most of them seem to be JPEGs. It decides what is tried first, and changes no
            pixel.

    Raises:
        ValueError: If an argument is out of range or does not fit maps, or the source is empty.
    """

    def __init__(
        self,
        source: ImageSource,
        *,
        image_size: int | Sequence[int],
        training: bool,
        augmentation: Augmentation | None = None,
        seed: int = 0,
        crop: float = 0.875,
        bad_limit: float | None = None,
        bad_examples: str | os.PathLike[str] | None = None,
        threads: int | None = None,
        services: Sequence[str] = (),
        input: str = NORMALIZED,
    ) -> None:
        size = (image_size,) * 2 if isinstance(image_size, int) else tuple(image_size)
        for name, value, fits in (
            ("image_size", image_size, len(size) == 2 and min(size) > 0),
            ("seed", seed, seed >= 0),
            ("crop", crop, 0 < crop <= 1),
            ("bad_limit", bad_limit, bad_limit is None or 0 <= bad_limit <= 1),
        ):
            if not fits:
                raise ValueError(f"`{name}` is out of range. Received: {name}={value!r}.")
        service.require_readable(source, services)
        if not source.examples:
            raise ValueError(f"{source.name} holds no examples.")
        self.source, self.size, self.training = source, size, training
        self.augmentation = augmentation or Augmentation()
        self.seed, self.crop, self.threads = seed, crop, threads or os.cpu_count()
        self.services, self.takes_pixels = tuple(services), input == PIXELS
        self.class_names, self.examples = source.class_names, source.examples
        self.labels = labels.labels_of(source, size, crop, self.augmentation if training else None)
        self.mixes = training and self.augmentation.mixes
        self.bad = BadExamples(self.examples, bad_limit, bad_examples)
        self.jpegs = decoding.are_mostly_jpegs(source.reader)
        # One trace for all epochs and sizes of batches.
        signature = [tf.TensorSpec([None], tf.int64), tf.TensorSpec([None, 2], tf.int64)]
        stacked = lambda spec: tf.TensorSpec([None, *spec.shape], spec.dtype)
        fetched = tf.nest.map_structure(stacked, source.reader.fetched)
        # Without AutoGraph, which takes as long as the tracing and converts nothing here.
        traced = functools.partial(tf.function, autograph=False)
        self._rest = traced(self._make_rest, input_signature=signature)
        signature = [*signature, *[fetched] * bool(source.reader.groups_ahead)]
        self._attempts = traced(self._attempt_group, input_signature=signature)

    def steps_per_epoch(self, global_batch: int) -> int:
        """The number of batches of an epoch.

        Args:
            global_batch: Examples of a step, over all shards.

        Returns:
            For training, complete batches only; for evaluation, rounded up.

        Raises:
            ValueError: If training would have none.
        """
        if not self.training:
            return -(-self.examples // global_batch)
        if global_batch > self.examples:
            raise ValueError(
                f"{self.source.name} has {self.examples} examples: less than one batch of "
                f"{global_batch}. Make the batch smaller."
            )
        return self.examples // global_batch

    def order(self, epoch: int) -> np.ndarray:
        """The indices of the examples in the order of an epoch, int64 `(examples,)`."""
        if not self.training:
            return np.arange(self.examples)
        return np.random.default_rng((self.seed, epoch)).permutation(self.examples)

    def keys(self, epoch: int) -> np.ndarray:
        """What every example of an epoch is varied by, int64 `(examples, 2)`."""
        if not self.training:
            return np.zeros((self.examples, 2), np.int64)
        random = np.random.default_rng((self.seed, epoch, 1))
        return random.integers(np.iinfo(np.int64).max, size=(self.examples, 2))

    def batches(
        self,
        epoch: int,
        *,
        global_batch: int,
        start_step: int = 0,
        shard: tuple[int, int] = (0, 1),
    ) -> tf.data.Dataset:
        """The batches of an epoch.

        Args:
            epoch: Its number, from 0.
            global_batch: Examples of a step, over all shards.
            start_step: The first step to deliver; those before it are not read.
            shard: `(index, count)`: delivers the index-th of `count` equal parts of every
                global batch.

        Returns:
            A `tf.data.Dataset` of dicts, with b = global_batch / count: `image` float32
            `(b, height, width, 3)`, normalized or pixels; `label` int32 `(b,)` or, if examples are
            mixed, float32 `(b, classes)`, or, of maps, int32 `(b, height, width)`, where
            `label_maps.IGNORED` is no class; `weight` float32 `(b,)`, 0 for padding, what cannot be
            used and images of which no pixel has a class, else 1; `index` int64 `(b,)`, the
            example's number in the source, -1 for padding. Iterate over it within `explained()`.

        Raises:
            ValueError: If an argument is out of range.
        """
        part, count = shard
        steps = self.steps_per_epoch(global_batch)
        if not 0 <= part < count or global_batch % count:
            raise ValueError(
                f"`global_batch` must be a multiple of the number of shards. Received: "
                f"global_batch={global_batch}, shard={shard}."
            )
        if not 0 <= start_step <= steps:
            raise ValueError(
                f"`start_step` must be 0 to {steps}, the steps of an epoch. Received: "
                f"start_step={start_step}."
            )
        if self.mixes and global_batch // count % 2:
            raise ValueError(
                "mixup and CutMix mix neighbors: every shard needs an even number of examples. "
                f"Received: global_batch={global_batch}, shard={shard}."
            )
        indices = np.full(steps * global_batch, PADDING, np.int64)
        order = self.order(epoch)[: len(indices)]
        indices[: len(order)] = order
        batch = global_batch // count
        unit = 2 if self.mixes else 1  # neighbors are mixed within their group
        group = max(size for size in range(unit, min(batch, GROUP) + 1, unit) if batch % size == 0)
        grouped = indices.reshape(steps, count, -1)[start_step:, part].reshape(-1, group)
        keys = self.keys(epoch)[grouped]
        groups = tf.data.Dataset.from_tensor_slices((grouped, keys))
        ahead = self.source.reader.groups_ahead
        if self.services:
            make = functools.partial(self._attempt_group, is_anywhere=True)
            attempts = service.distribute((grouped, keys), make, self.services)
        else:
            attempts = groups.map(self._fetch, ahead, deterministic=True) if ahead else groups
            attempts = attempts.interleave(
                tf.autograph.experimental.do_not_convert(self._attempts),
                cycle_length=self.threads,
                num_parallel_calls=self.threads,
                deterministic=True,
            )
        dataset = tf.data.Dataset.zip(groups, attempts)
        dataset = dataset.map(self._complete, self.threads, deterministic=True)
        leading = 1
        if group < batch:
            dataset, leading = dataset.batch(batch // group, drop_remainder=True), 2
        join = functools.partial(_join, batch=batch, leading=leading)
        dataset = dataset.map(tf.autograph.experimental.do_not_convert(join))
        threads = (self.threads or 1) + ahead if ahead > 1 else None  # one runs Python, more wait
        return dataset.prefetch(PREFETCHED).with_options(dataset_options(threads))

    @contextlib.contextmanager
    def explained(self) -> Iterator[None]:
        """Makes errors of reading this pipeline's batches the ValueError that they began as.

        TensorFlow wraps what Python raises within tf.data. And an error keeps the frames that it
        passed, these an iterator, and that its threads: so they are let go before anything is
        raised, or threads would read on, print on, and outlive the interpreter.

        Raises:
            ValueError: If more examples are bad than `bad_limit` allows.
            OSError: If nothing can be read any more, or a data service was started again.
        """
        try:
            yield
        except tf.errors.OpError as error:
            traceback.clear_frames(error.__traceback__)
            if self.bad.too_many:
                raise ValueError(self.bad.too_many) from None
            if self.source.reader.failure:
                raise OSError(self.source.reader.failure) from None
            if self.services and isinstance(error, tf.errors.NotFoundError):
                raise service.restarted(self.services) from None
            raise

    @tf.autograph.experimental.do_not_convert
    def _fetch(self, indices, keys):
        return indices, keys, self.source.reader.fetch(indices)

    def _attempt_group(self, indices, keys, fetched=None, is_anywhere=False):
        """What can be taken quickly of some examples: a dataset of one element.

        That is the examples as `batches` describes them, stacked, without those that failed, and
        their places in the group. Only a dataset can drop what fails. One that is interleaved with
        its like shares their functions, which TensorFlow would else optimize anew for each.
        """
        if fetched is None and not is_anywhere:
            fetched = self.source.reader.fetch(indices)
        attempt = self._plain_jpeg if self.jpegs else self._attempt

        def fast(place, index, fetched, key):
            return self._vary(attempt(index, fetched, key), key), place

        examples = tf.range(tf.size(indices)), indices, fetched, keys
        whole = tf.data.Dataset.from_tensor_slices(examples).map(fast).ignore_errors().batch(GROUP)
        nothing = tf.nest.map_structure(
            lambda spec: tf.zeros((0, *spec.shape[1:]), spec.dtype), whole.element_spec
        )
        return whole.concatenate(tf.data.Dataset.from_tensors(nothing)).take(1)

    @tf.autograph.experimental.do_not_convert
    def _complete(self, examples, attempt):
        """A group with what is missing of its attempt, mixed."""
        (indices, keys), (group, places) = examples, attempt
        wanted = tf.range(tf.size(indices))

        def completed():
            missing = tf.reduce_all(wanted[:, None] != places, axis=1)
            index, key = (tf.boolean_mask(part, missing) for part in (indices, keys))
            # Traced when it is needed: as a part of this graph it would make epochs start later.
            rest = tf.py_function(
                self._rest, [index, key], [group[name].dtype for name in sorted(group)]
            )
            order = tf.argsort(tf.concat([places, tf.boolean_mask(wanted, missing)], axis=0))
            whole = {}
            for name, others in zip(sorted(group), rest, strict=True):
                others = tf.ensure_shape(others, group[name].shape)
                whole[name] = tf.gather(tf.concat([group[name], others], axis=0), order)
            return whole

        complete = tf.cond(tf.size(places) == tf.size(indices), lambda: group, completed)
        return mixing.mix_examples(complete) if self.mixes else complete

    def _make_rest(self, indices, keys):
        """Examples of any kind as `batches` describes them; a list in the order of their names."""

        def careful(index, fetched, key):
            return self._vary(self._careful(index, fetched, key), key)

        with tf.device("CPU:0"):  # as all of tf.data; called from Python it would go to a GPU
            fetched = self.source.reader.fetch(indices)
            examples = tf.data.Dataset.from_tensor_slices((indices, fetched, keys))
            rest = examples.map(careful).batch(GROUP).get_single_element()
        return [rest[name] for name in sorted(rest)]

    def _plain_jpeg(self, index, fetched, key):
        """What is taken of an example; fails if it is anything but an ordinary JPEG.

        It asks once, and for everything: every condition takes time, here and at an epoch's start.
        """
        encoded, label = self.source.reader.load(index, fetched)
        plain = (index >= 0) & self.labels.are_known(label) & decoding.is_plain_jpeg(encoded)
        with tf.control_dependencies([tf.debugging.Assert(plain, ["not an ordinary JPEG"])]):
            encoded = tf.identity(encoded)
        return self._taken(encoded, label, True, index, key)

    def _attempt(self, index, fetched, key):
        """What is taken of an example; fails if TensorFlow cannot read or decode it."""

        def padding():
            return _example(tf.zeros((*self.size, 3)), self.labels.none(), False, index)

        def example():
            encoded, label = self.source.reader.load(index, fetched)

            def plain():
                return tf.cond(
                    decoding.is_jpeg(encoded),
                    lambda: self._taken(encoded, label, True, index, key),
                    lambda: self._taken(decoding.decode_bitmap(encoded), label, True, index, key),
                )

            known = self.labels.are_known(label) & decoding.is_plain(encoded)
            return tf.cond(known, plain, lambda: self._tolerant(index, key))

        return tf.cond(index < 0, padding, example)

    def _careful(self, index, fetched, key):
        """What is taken of an example; fails only if too many are bad."""
        index = tf.data.Dataset.from_tensors(index)
        fast = index.map(lambda index: self._attempt(index, fetched, key)).ignore_errors()
        tolerant = index.map(lambda index: self._tolerant(index, key))
        return fast.concatenate(tolerant).take(1).get_single_element()

    def _tolerant(self, index, key):
        """What is taken of an example by Pillow; weight 0 if that cannot decode it either."""
        image, label, usable = tf.numpy_function(
            self._decode, [index], (tf.uint8, self.labels.dtype, tf.bool), stateful=False
        )
        image = tf.ensure_shape(image, (None, None, 3))
        label = tf.ensure_shape(label, self.labels.shape)
        return self._taken(image, label, tf.ensure_shape(usable, []), index, key)

    def _taken(self, picture, label, usable, index, key):
        """The part of an example that is seen, as `transforms.random_view` takes it."""
        if self.training:
            image = transforms.random_view(picture, key, self.size, self.augmentation)
        else:
            image = images.center_crop(images.decoded(picture), self.size, self.crop)
        label = self.labels.take(label, picture, key)
        return _example(image, label, usable & self.labels.usable(label), index)

    def _vary(self, example, key):
        """An example with its image varied, and normalized unless the model does that."""
        image = example["image"]
        if self.training:
            image = transforms.augment(image, key + VARY, self.augmentation)
            image = images.to_pixels(image) if self.takes_pixels else image
        elif not self.takes_pixels:
            image = images.normalize(image)
        if tf.get_static_value(example["weight"]) is None:
            # What shows nothing is all 0. A choice, instead, would cost every image a copy.
            image = tf.cond(example["weight"] > 0, lambda: image, lambda: tf.zeros_like(image))
        label = self.labels.vary(example["label"], key + VARY)
        example = {**example, "image": image, "label": label}
        if self.mixes:
            example["label"] = tf.one_hot(example["label"], len(self.class_names))
            example["mask"] = mixing.mixing_mask(
                key + MIX, self.size, self.augmentation.mixup, self.augmentation.cutmix
            )
        return example

    def _decode(self, index):
        """An image, its label and whether they can be used; reports it if not."""
        try:
            encoded, label = self.source.reader.read(index)
            pixels = decoding.decode(encoded)
            self.labels.require_fit(label, pixels)
            return pixels, np.asarray(label, self.labels.dtype.as_numpy_dtype), np.True_
        except ValueError as error:
            self.bad.report(self.source.key(index), str(error))
            label = np.zeros([1] * len(self.labels.shape), self.labels.dtype.as_numpy_dtype)
            return np.zeros((1, 1, 3), np.uint8), label, np.False_


def _example(image, label, usable, index):
    return {
        "image": image,
        "label": label,
        "weight": tf.cast(usable, tf.float32),
        "index": index,
    }


def _join(groups, batch, leading):
    """The groups of a batch as one: the `leading` axes of every part become one of `batch`."""
    return {name: tf.reshape(part, (batch, *part.shape[leading:])) for name, part in groups.items()}
