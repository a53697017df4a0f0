"""Learning-rate schedules, the optimizer, and the two kinds of weight decay."""

import math

import keras


@keras.saving.register_keras_serializable(package="keras_ghostnet")
class WarmUp(keras.optimizers.schedules.LearningRateSchedule):
    """A linear rise from 0, then another schedule from its beginning.

    Args:
        steps: Length of the rise.
        peak: The rate at its end.
        schedule: What follows: a schedule, or a constant rate.
    """

    def __init__(self, steps, peak, schedule):
        self.steps = steps
        self.peak = peak
        self.schedule = schedule

    def __call__(self, step):
        step = keras.ops.cast(step, "float32")
        later = self.schedule
        if isinstance(later, keras.optimizers.schedules.LearningRateSchedule):
            later = later(keras.ops.maximum(step - self.steps, 0.0))
        rising = self.peak * step / max(self.steps, 1)
        return keras.ops.where(step < self.steps, rising, later)

    def get_config(self):
        return {"steps": self.steps, "peak": self.peak, "schedule": self.schedule}


def learning_rate(recipe, steps_per_epoch):
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
    else:
        # Keras holds a value up to and with its boundary: a milestone's first step is lower.
        boundaries = [round(epoch * steps_per_epoch) - warmup - 1 for epoch in recipe.milestones]
        rates = [recipe.learning_rate * recipe.decay**n for n in range(len(boundaries) + 1)]
        after = schedules.PiecewiseConstantDecay(boundaries, rates)
    return WarmUp(warmup, recipe.learning_rate, after)


def optimizer(recipe, steps_per_epoch, model):
    """SGD as a recipe wants it, built for a model.

    Args:
        recipe: A `Recipe`.
        steps_per_epoch: Steps in an epoch.
        model: The Keras model.

    Returns:
        A Keras optimizer.
    """
    sgd = keras.optimizers.SGD(
        learning_rate(recipe, steps_per_epoch),
        momentum=recipe.momentum,
        nesterov=recipe.nesterov,
        weight_decay=recipe.weight_decay or None,
    )
    if recipe.weight_decay:
        decayed = {id(kernel) for kernel in decayed_kernels(model)}
        sgd.exclude_from_weight_decay(
            var_list=[weight for weight in model.trainable_weights if id(weight) not in decayed]
        )
    if recipe.precision == "mixed_float16":
        sgd = keras.optimizers.LossScaleOptimizer(sgd)
    sgd.build(model.trainable_weights)
    return sgd


def decayed_kernels(model):
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
