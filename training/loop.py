"""The training step and the evaluation, the same for every `tf.distribute` strategy.

Losses are sums over examples divided by the global batch, and gradients are summed over the
replicas, so that N replicas do what one does with the same global batch. Batch norm's moving
statistics are each replica's own; where one set is needed, for evaluation and in a saved model,
it is their mean.
"""

import contextlib

import keras
import tensorflow as tf

from keras_ghostnet.training import optimization


class Loop:
    """A model, its optimiser and the compiled steps.

    Args:
        recipe: The `Recipe`.
        build: Function without arguments that builds the model; it must end in logits.
        steps_per_epoch: Training steps in an epoch.
        strategy: A `tf.distribute.Strategy`.
        teacher: A Keras model to distil from, or None: it takes the same images and puts out
            logits of the same classes.
        distillation: Part of the loss that is the distance to the teacher, in [0, 1].
        temperature: By which both models' logits are divided there.
    """

    def __init__(
        self,
        recipe,
        build,
        steps_per_epoch,
        strategy,
        teacher=None,
        distillation=0.5,
        temperature=1.0,
    ):
        self.recipe = recipe
        self.strategy = strategy
        self.teacher = teacher
        self.distillation = distillation if teacher is not None else 0.0
        self.temperature = temperature
        with strategy.scope():
            self.model = build()
            self.optimizer = optimization.optimizer(recipe, steps_per_epoch, self.model)
            self.averages = self._averages() if recipe.ema else []
        self.decayed = {id(kernel) for kernel in optimization.decayed_kernels(self.model)}
        self.classes = self.model.output_shape[-1]
        self._train = tf.function(self._train_step, jit_compile=False)
        self._gather = tf.function(self._rows, jit_compile=False)
        self._evaluate = tf.function(self._evaluation_step, jit_compile=False)

    # ------------------------------------------------------------------ data

    def distribute(self, batches):
        """Batches of a pipeline for the replicas of every worker.

        Args:
            batches: Function of `(index, count)`, a worker's number and how many there are,
                that returns a dataset of the worker's part of every global batch.
        """
        strategy = self.strategy

        def parts(context):
            dataset = batches((context.input_pipeline_id, context.num_input_pipelines))
            replicas = strategy.num_replicas_in_sync // context.num_input_pipelines
            return dataset if replicas == 1 else dataset.flat_map(_split(replicas)).prefetch(2)

        return strategy.distribute_datasets_from_function(parts)

    # -------------------------------------------------------------- training

    def train_step(self, batch, stop=False):
        """One update.

        Args:
            batch: An element of `distribute`.
            stop: Whether this worker was told to stop. All workers learn of it in the same
                step, so that none waits for one that has gone.

        Returns:
            Scalars: loss and accuracy, means over the weighted examples of the global batch,
            and whether any worker was told to stop.
        """
        return self._train(batch, tf.constant(float(stop)))

    def _train_step(self, batch, stop):
        sums = self.strategy.run(self._replica_step, args=(batch, stop))
        loss, correct, weight, stop = self._sum(sums)
        for average, variable in self.averages:
            self.strategy.extended.update(average, self._move, args=(variable.value,))
        return loss / weight, correct / weight, stop > 0

    def _replica_step(self, batch, stop):
        labels, weight = batch["label"], batch["weight"]
        with tf.GradientTape() as tape:
            logits = tf.cast(self.model(batch["image"], training=True), "float32")
            losses = self._losses(labels, logits, batch["image"])
            total = tf.reduce_sum(losses * weight)
            scaled = self.optimizer.scale_loss(total / self.recipe.batch_size)
        variables = self.model.trainable_weights
        gradients = tape.gradient(scaled, [variable.value for variable in variables])
        self.optimizer.apply(self._regularise(gradients, variables), variables)
        correct = tf.reduce_sum(_correct(labels, logits) * weight)
        return total, correct, tf.reduce_sum(weight), tf.identity(stop)

    def _losses(self, labels, logits, images):
        targets = labels if labels.shape.rank == 2 else tf.one_hot(labels, self.classes)
        losses = keras.losses.categorical_crossentropy(
            targets, logits, from_logits=True, label_smoothing=self.recipe.label_smoothing
        )
        if not self.distillation:
            return losses
        taught = tf.cast(self.teacher(images, training=False), "float32") / self.temperature
        distance = keras.losses.kl_divergence(
            tf.nn.softmax(taught), tf.nn.softmax(logits / self.temperature)
        )
        # Hinton et al. (2015): gradients of soft targets shrink with the temperature's square.
        distance *= self.temperature**2
        return (1 - self.distillation) * losses + self.distillation * distance

    def _regularise(self, gradients, variables):
        """Adds the L2 term and clips; both on the gradient of the whole global batch."""
        recipe, replicas = self.recipe, self.strategy.num_replicas_in_sync
        scale = getattr(self.optimizer, "dynamic_scale", 1.0)  # of float16's loss
        if recipe.clip_norm:
            gradients = tf.distribute.get_replica_context().all_reduce("SUM", gradients)
            gradients, _ = tf.clip_by_global_norm(gradients, recipe.clip_norm * scale)
            gradients = [gradient / replicas for gradient in gradients]  # they are summed again
        if recipe.l2:
            gradients = [
                gradient + variable.value * (recipe.l2 * scale / replicas)
                if id(variable) in self.decayed
                else gradient
                for gradient, variable in zip(gradients, variables, strict=True)
            ]
        return gradients

    # ------------------------------------------------------------ evaluation

    def evaluation_step(self, batch):
        """Sums over the weighted examples of one global batch: loss, correct ones, weight."""
        return self._evaluate(batch)

    def _evaluation_step(self, batch):
        return self._sum(self.strategy.run(self._replica_evaluation, args=(batch,)))

    def _replica_evaluation(self, batch):
        labels, weight = batch["label"], batch["weight"]
        logits = tf.cast(self.model(batch["image"], training=False), "float32")
        losses = keras.losses.sparse_categorical_crossentropy(labels, logits, from_logits=True)
        correct = _correct(labels, logits)
        return (
            tf.reduce_sum(losses * weight),
            tf.reduce_sum(correct * weight),
            tf.reduce_sum(weight),
        )

    def _sum(self, sums):
        return [self.strategy.reduce("SUM", value, axis=None) for value in sums]

    @contextlib.contextmanager
    def evaluated_weights(self):
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

    def state(self):
        """Everything that training changes: a dictionary of names and arrays.

        Statistics of batch norm have one row for every replica of all workers, so that all
        workers must call this together.
        """
        arrays = {name: variable.numpy() for name, variable in self._shared().items()}
        for variable, row in zip(self._statistics(), self._gather(), strict=True):
            arrays[f"replicas/{variable.path}"] = row.numpy()
        return arrays

    def restore(self, arrays):
        """Sets everything to what `state` returned.

        Raises:
            ValueError: If the arrays are those of another model, optimiser or number of replicas.
        """
        shared = self._shared()
        statistics = {f"replicas/{variable.path}": variable for variable in self._statistics()}
        if set(arrays) != {*shared, *statistics}:
            different = sorted(set(arrays) ^ {*shared, *statistics})
            raise ValueError(f"The state is of another model: {', '.join(different[:5])} differ.")
        for name, variable in shared.items():
            variable.assign(arrays[name])
        replicas = self._local_replicas()
        for name, variable in statistics.items():
            if len(arrays[name]) != self.strategy.num_replicas_in_sync:
                raise ValueError(
                    f"The state is of {len(arrays[name])} replicas, this run has "
                    f"{self.strategy.num_replicas_in_sync}. Continue with as many."
                )
            local = self.strategy.experimental_local_results(variable.value)
            for replica, component in zip(replicas, local, strict=True):
                component.assign(arrays[name][replica])

    def _shared(self):
        """Variables that are the same on all replicas, by name."""
        local = {id(variable) for variable in self._statistics()}
        named = {
            f"model/{index:04d}/{variable.path}": variable
            for index, variable in enumerate(self.model.variables)
            if id(variable) not in local
        }
        for index, variable in enumerate(self.optimizer.variables):
            named[f"optimizer/{index:04d}/{variable.path}"] = variable
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


def _split(replicas):
    """Cuts a worker's batch into one for each of its replicas."""

    def split(batch):
        def cut(array):
            return tf.reshape(array, [replicas, array.shape[0] // replicas, *array.shape[1:]])

        return tf.data.Dataset.from_tensor_slices(tf.nest.map_structure(cut, batch))

    return split


def _correct(labels, logits):
    if labels.shape.rank == 2:  # mixed labels: the larger part counts
        labels = tf.argmax(labels, axis=-1, output_type=tf.int32)
    predicted = tf.argmax(logits, axis=-1, output_type=labels.dtype)
    return tf.cast(predicted == labels, "float32")
