"""The training step, the same for every `tf.distribute` strategy.

Losses are sums over examples divided by the global batch, and gradients are summed over the
replicas, so that N replicas do what one does with the same global batch. Batch norm's moving
statistics are each replica's own; where one set is needed, for evaluation and in a saved model,
it is their mean.
"""

import contextlib
import functools
import itertools
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_ghostnet.layers import normalization
from keras_ghostnet.training import optimization
from keras_ghostnet.training.heads import require_exclusive_classes
from keras_ghostnet.training.logits import correct, logits, of_images
from keras_ghostnet.training.recipes import Recipe
from keras_ghostnet.training.teachers import Teacher

# Bytes of gradients that are summed in one reduction: those of the last layers are sent while the
# gradients of the first ones are computed.
PACK = 4 << 20
# The batch norms of a model that each value of `synchronized_bn` means.
SYNCHRONIZED = {
    "none": lambda model: (),
    "pooled": normalization.pooled_batch_norms,
    "all": normalization.batch_norms,
}
# What Keras numbers over a whole process, so that a resumed run of the same process differs.
NUMBERED = re.compile(r"\b(seed_generator|loss_scale_optimizer)_\d+(?=/)")


class Loop:
    """A model, its optimizer and the compiled step.

    Args:
        recipe: The `Recipe`.
        build: Function without arguments that builds the model; it must end in logits.
        steps_per_epoch: Training steps in an epoch.
        strategy: A `tf.distribute.Strategy`.
        teacher: Function without arguments that gives the Keras model or the `Teacher` to distill
            from, or None. It takes the same images and has the same classes.
        class_weights: Float array `(classes,)`: the cross-entropy of an image, or of a pixel, is
            multiplied by its class' weight, a mixed image's by their mean over its parts; the
            distance to a teacher, which has no class, is not. None for 1.

    Raises:
        ValueError: If the teacher's images or classes differ from the model's.
    """

    def __init__(
        self,
        recipe: Recipe,
        build: Callable[[], keras.Model],
        steps_per_epoch: int,
        strategy: tf.distribute.Strategy,
        teacher: Callable[[], keras.Model | Teacher] | None = None,
        class_weights: np.ndarray | None = None,
    ) -> None:
        self.recipe, self.strategy, self.class_weights = recipe, strategy, class_weights
        with strategy.scope():
            self.model = build()
            self.teacher = teacher and teacher()
            self.optimizer = optimization.optimizer(recipe, steps_per_epoch, self.model)
            self.averages = self._averages() if recipe.ema else []
        if isinstance(self.teacher, keras.Model):
            self.teacher.trainable = False
            require_exclusive_classes(self.teacher, "Distillation")
        if self.teacher:
            _require_same_shapes(self.teacher, self.model)
        self.decayed = {id(kernel) for kernel in optimization.decayed_kernels(self.model)}
        self.classes = self.model.output_shape[-1]
        # AutoGraph, which nothing here needs, would take half as long again as the tracing.
        traced = functools.partial(tf.function, autograph=False, jit_compile=False)
        self._train, self._gather = traced(self._train_step), traced(self._rows)

    # -------------------------------------------------------------- training

    def train_step(self, batch: Any, stop: bool = False, save: bool = False) -> tf.Tensor:
        """One update.

        Args:
            batch: An element of `distribution.distribute`.
            stop: Whether this worker was told to stop. All workers learn of it in the same
                step, so that none waits for one that has gone.
            save: Whether this worker wants a checkpoint, which all have to write together.

        Returns:
            A float32 tensor `(4,)`: loss and accuracy, means over the weighted examples of the
            global batch, and how many workers' replicas were told to stop and want to save.
        """
        return self._train(batch, tf.constant([stop, save], "float32"))

    def _train_step(self, batch, requests):
        norms = SYNCHRONIZED[self.recipe.synchronized_bn](self.model)
        with normalization.synchronized(self.model, norms):
            sums = self.strategy.run(self._replica_step, args=(batch, requests))
        loss, correct, weight, *requests = tf.unstack(self.strategy.reduce("SUM", sums, axis=None))
        for average, variable in self.averages:
            self.strategy.extended.update(average, self._move, args=(variable.value,))
        weight = tf.maximum(weight, 1.0)  # a batch of none but bad examples has no loss
        return tf.stack([loss / weight, correct / weight, *requests])

    def _replica_step(self, batch, requests):
        variables = self.model.trainable_weights
        total, right, gradients = self._gradients(batch, variables)
        self.optimizer.apply(self._regularize(gradients, variables), variables)
        weight = tf.reduce_sum(batch["weight"])
        return tf.stack([total, right, weight, *tf.unstack(requests)])

    def _gradients(self, batch, variables):
        """Sums of losses and of correct ones, and the loss' gradients.

        The batch goes through the model in `recipe.accumulate` parts, one after the other.
        """
        images = tf.split(batch["image"], self.recipe.accumulate)
        labels = tf.split(batch["label"], self.recipe.accumulate)
        weights = tf.split(batch["weight"], self.recipe.accumulate)
        total, right, gradients = 0.0, 0.0, None
        for image, label, weight in zip(images, labels, weights, strict=True):
            # Not at once, which would take the memory that the parts are to save.
            with tf.control_dependencies(gradients or ()):
                image = tf.identity(image)
            with tf.GradientTape() as tape:
                outputs = tf.cast(self.model(image, training=True), "float32")
                loss = tf.reduce_sum(self._losses(label, outputs, image) * weight)
                scaled = self.optimizer.scale_loss(loss / self.recipe.batch_size)
            more = tape.gradient(scaled, [variable.value for variable in variables])
            gradients = more if gradients is None else list(map(tf.add, gradients, more))
            total += loss
            right += tf.reduce_sum(correct(label, outputs) * weight)
        return total, right, gradients

    def _losses(self, labels, outputs, images):
        """The loss of each image: of maps, the mean over the pixels that have a class."""
        targets = labels if labels.shape.rank == 2 else tf.one_hot(labels, self.classes)
        losses = keras.losses.categorical_crossentropy(
            targets, outputs, from_logits=True, label_smoothing=self.recipe.label_smoothing
        )
        if self.class_weights is not None:
            losses *= tf.linalg.matvec(targets, tf.constant(self.class_weights, "float32"))
        if not self.teacher:
            return of_images(losses, labels)
        share, temperature = self.recipe.distillation, self.recipe.temperature
        is_keras = isinstance(self.teacher, keras.Model)
        taught = logits(self.teacher, images) if is_keras else self.teacher.logits(images)
        taught /= temperature
        distance = keras.losses.kl_divergence(
            tf.nn.softmax(taught), tf.nn.softmax(outputs / temperature)
        )
        # Hinton et al. (2015): gradients of soft targets shrink with the temperature's square.
        losses = (1 - share) * losses + share * temperature**2 * distance
        return of_images(losses, labels)

    def _regularize(self, gradients, variables):
        """Sums gradients over the replicas; clips them, and adds the L2 term."""
        recipe = self.recipe
        scale = getattr(self.optimizer, "dynamic_scale", 1.0)  # of float16's loss
        options = tf.distribute.experimental.CommunicationOptions(bytes_per_pack=PACK)
        context = tf.distribute.get_replica_context()
        gradients = context.all_reduce("SUM", gradients, options)
        if recipe.clip_norm:
            gradients, _ = tf.clip_by_global_norm(gradients, recipe.clip_norm * scale)
        if recipe.l2:
            gradients = [
                gradient + variable.value * (recipe.l2 * scale)
                if id(variable) in self.decayed
                else gradient
                for gradient, variable in zip(gradients, variables, strict=True)
            ]
        return gradients

    # ------------------------------------------------------------ evaluation

    @contextlib.contextmanager
    def evaluated_weights(self) -> Iterator[keras.Model]:
        """Puts the weights in place by which a model is judged and saved.

        Those are the moving averages, if the recipe has them, and the means of the replicas'
        batch-norm statistics. What training goes on with is put back at the end.

        Yields:
            The model.
        """
        kept = self.state()
        for variable, value in zip(self._statistics(), self._means(), strict=True):
            variable.assign(value)
        for average, variable in self.averages:
            variable.assign(average)
        try:
            yield self.model
        finally:
            self.restore(kept)

    # ----------------------------------------------------------------- state

    def state(self) -> dict[str, np.ndarray]:
        """Everything that training changes: a dictionary of names and arrays.

        Statistics of batch norm have one row for every replica of all workers, so that all
        workers must call this together.
        """
        arrays = {name: variable.numpy() for name, variable in self._shared().items()}
        for variable, row in zip(self._statistics(), self._gather(), strict=True):
            arrays[f"replicas/{variable.path}"] = row.numpy()
        return arrays

    def restore(self, arrays: Mapping[str, np.ndarray]) -> int:
        """Sets everything to what `state` returned.

        Of a state of another number of replicas, every replica gets the mean of all their
        batch-norm statistics, which is what was evaluated and saved.

        Returns:
            The number of replicas of the state.

        Raises:
            ValueError: If the arrays are those of another model or optimizer.
        """
        shared = self._shared()
        statistics = {f"replicas/{variable.path}": variable for variable in self._statistics()}
        if set(arrays) != {*shared, *statistics}:
            different = sorted(set(arrays) ^ {*shared, *statistics})
            raise ValueError(f"The state is of another model: {', '.join(different[:5])} differ.")
        for name, variable in shared.items():
            variable.assign(arrays[name])
        replicas, count = self._local_replicas(), self.strategy.num_replicas_in_sync
        before = count
        for name, variable in statistics.items():
            rows, before = arrays[name], len(arrays[name])
            if before != count:
                rows = np.broadcast_to(rows.mean(axis=0), (count, *rows.shape[1:]))
            local = self.strategy.experimental_local_results(variable.value)
            for replica, component in zip(replicas, local, strict=True):
                component.assign(rows[replica])
        return before

    def _shared(self):
        """Variables that are the same on all replicas, by name."""
        local = {id(variable) for variable in self._statistics()}
        named = {
            f"model/{index:04d}/{_unnumbered(variable.path)}": variable
            for index, variable in enumerate(self.model.variables)
            if id(variable) not in local
        }
        for index, variable in enumerate(self.optimizer.variables):
            named[f"optimizer/{index:04d}/{_unnumbered(variable.path)}"] = variable
        for average, variable in self.averages:
            named[f"average/{variable.path}"] = average
        return named

    def _statistics(self):
        """Variables that every replica has its own values of: batch norm's."""
        return [
            weight
            for weight in self.model.non_trainable_weights
            if weight.name in ("moving_mean", "moving_variance")
        ]

    def _rows(self):
        """The statistics of all replicas, one row each, for each variable."""
        values = self.strategy.run(
            lambda: [variable.value[None] for variable in self._statistics()]
        )
        return [self.strategy.gather(value, axis=0) for value in values]

    def _means(self):
        return [tf.reduce_mean(rows, axis=0) for rows in self._gather()]

    def _local_replicas(self):
        """Numbers of this process' replicas among all."""

        def number():
            return tf.convert_to_tensor(
                tf.distribute.get_replica_context().replica_id_in_sync_group
            )

        return [int(n) for n in self.strategy.experimental_local_results(self.strategy.run(number))]

    def _averages(self):
        """Pairs of a moving average and its variable."""
        return [
            (tf.Variable(variable.value, trainable=False), variable)
            for variable in self.model.trainable_weights
        ]

    def _move(self, average, value):
        average.assign_sub((1 - self.recipe.ema) * (average - value))


def _unnumbered(path):
    return NUMBERED.sub(r"\1", path)


def _require_same_shapes(teacher, model):
    for what, found, wanted in (
        ("takes images", teacher.input_shape[1:], model.input_shape[1:]),
        ("has outputs", teacher.output_shape[1:], model.output_shape[1:]),
    ):
        pairs = list(itertools.zip_longest(found, wanted, fillvalue=0))
        if any(None not in pair and len(set(pair)) > 1 for pair in pairs):
            raise ValueError(
                f"The teacher {teacher.name!r} {what} of shape {found}, {model.name!r} of "
                f"{wanted}. Distillation needs a teacher of the same images and classes."
            )
