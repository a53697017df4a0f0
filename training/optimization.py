"""Learning-rate schedules, the optimizers, and the two kinds of weight decay."""

import math
from typing import Any

import keras

from keras_ghostnet.training.recipes import Recipe


@keras.saving.register_keras_serializable(package="keras_ghostnet")
class WarmUp(keras.optimizers.schedules.LearningRateSchedule):
    """A linear rise from 0, then another schedule.

    Args:
        steps: Length of the rise.
        peak: The rate at its end.
        schedule: What follows: a schedule, or a constant rate.
        restarts: Whether that one counts its steps from the end of the rise, else from the
            beginning of training.
    """

    def __init__(
        self,
        steps: int,
        peak: float,
        schedule: keras.optimizers.schedules.LearningRateSchedule | float,
        restarts: bool = True,
    ):
        self.steps = steps
        self.peak = peak
        self.schedule = schedule
        self.restarts = restarts

    def __call__(self, step):
        step = keras.ops.cast(step, "float32")
        later = self.schedule
        if isinstance(later, keras.optimizers.schedules.LearningRateSchedule):
            later = later(keras.ops.maximum(step - self.steps, 0.0) if self.restarts else step)
        rising = self.peak * step / max(self.steps, 1)
        return keras.ops.where(step < self.steps, rising, later)

    def get_config(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("steps", "peak", "schedule", "restarts")}


@keras.saving.register_keras_serializable(package="keras_ghostnet")
class RMSprop(keras.optimizers.RMSprop):
    """RMSprop as TensorFlow 1 and timm's `rmsproptf` compute it.

    Keras' own adds epsilon below the root, too, and has the learning rate within the momentum. It
    differs in one thing: its means of squared gradients begin at 0, so that the first steps are
    three times as long and more; here they begin at 1.
    """

    def build(self, variables: list[Any]) -> None:
        is_new = not self.built
        super().build(variables)
        if is_new:
            for velocity in self._velocities:
                velocity.assign(keras.ops.ones_like(velocity))


def learning_rate(
    recipe: Recipe, steps_per_epoch: int
) -> keras.optimizers.schedules.LearningRateSchedule:
    """The schedule of a recipe: a function of the step.

    Args:
        recipe: A `Recipe`.
        steps_per_epoch: Steps in an epoch.

    Returns:
        A Keras `LearningRateSchedule`.
    """
    schedules = keras.optimizers.schedules
    warmup = math.ceil(recipe.warmup_epochs * steps_per_epoch)
    if recipe.schedule == "constant":
        after = recipe.learning_rate
    elif recipe.schedule == "cosine":
        rest = max(1, recipe.epochs * steps_per_epoch - warmup)
        after = schedules.CosineDecay(recipe.learning_rate, rest)
    elif recipe.schedule == "exponential":
        after = schedules.ExponentialDecay(
            recipe.learning_rate,
            recipe.decay_epochs * steps_per_epoch,
            recipe.decay,
            staircase=True,
        )
    else:
        # Keras holds a value up to and with its boundary: a milestone's first step is lower.
        boundaries = [round(epoch * steps_per_epoch) - 1 for epoch in recipe.milestones]
        rates = [recipe.learning_rate * recipe.decay**n for n in range(len(boundaries) + 1)]
        after = schedules.PiecewiseConstantDecay(boundaries, rates)
    return WarmUp(warmup, recipe.learning_rate, after, restarts=recipe.schedule == "cosine")


def optimizer(
    recipe: Recipe, steps_per_epoch: int, model: keras.Model
) -> keras.optimizers.Optimizer:
    """The optimizer of a recipe, built for a model.

    Args:
        recipe: A `Recipe`.
        steps_per_epoch: Steps in an epoch.
        model: The Keras model.

    Returns:
        A Keras optimizer.
    """
    adaptive = dict(beta_1=recipe.betas[0], beta_2=recipe.betas[1], epsilon=recipe.epsilon)
    kind, options = {
        "sgd": (keras.optimizers.SGD, dict(momentum=recipe.momentum, nesterov=recipe.nesterov)),
        "rmsprop": (
            RMSprop,
            dict(rho=recipe.rho, momentum=recipe.momentum, epsilon=recipe.epsilon),
        ),
        "adamw": (keras.optimizers.AdamW, adaptive),
        "lamb": (keras.optimizers.Lamb, adaptive),
    }[recipe.optimizer]
    made = kind(
        learning_rate(recipe, steps_per_epoch),
        weight_decay=recipe.weight_decay,
        name=recipe.optimizer,  # else Keras numbers them over a whole process
        **options,
    )
    if recipe.weight_decay:
        decayed = {id(kernel) for kernel in decayed_kernels(model)}
        made.exclude_from_weight_decay(
            var_list=[weight for weight in model.trainable_weights if id(weight) not in decayed]
        )
    else:
        made.weight_decay = None  # which AdamW does not take
    made._all_reduce_sum_gradients = list  # the loop sums them, in packs
    if recipe.precision == "mixed_float16":
        made = keras.optimizers.LossScaleOptimizer(made)
    made.build(model.trainable_weights)
    return made


def decayed_kernels(model: keras.Model) -> list[keras.Variable]:
    """The weights that the papers decay: kernels of convolutions and dense layers.

    Depthwise kernels, biases and batch norm's scales and offsets are left alone (the authors'
    TensorFlow code).

    Args:
        model: A Keras model.

    Returns:
        A list of variables, in the order of `model.trainable_weights`.
    """
    depthwise = (keras.layers.DepthwiseConv1D, keras.layers.DepthwiseConv2D)
    kernels = set()
    for layer in model._flatten_layers():
        own = (keras.layers.Conv1D, keras.layers.Conv2D, keras.layers.Conv3D, keras.layers.Dense)
        if isinstance(layer, own) and not isinstance(layer, depthwise):
            kernels.add(id(layer.kernel))
    return [weight for weight in model.trainable_weights if id(weight) in kernels]
