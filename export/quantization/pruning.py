"""Magnitude pruning: the smallest weights become zeros while the network adapts."""

import functools
from collections.abc import Callable, Iterable
from typing import Annotated, Any

import keras
from rich.console import Console

from keras_ghostnet.console import step
from keras_ghostnet.export.graph import deploy, for_tracing
from keras_ghostnet.export.quantization import arguments
from keras_ghostnet.export.quantization.batches import Batches
from keras_ghostnet.export.quantization.bridge import copy_weights, to_tf_keras
from keras_ghostnet.quiet import quiet
from keras_ghostnet.training.heads import count_classes
from keras_ghostnet.training.logits import logits
from keras_ghostnet.training.settings import Count, Fraction, Positive, Within, within_ranges

RISE = 0.7  # fraction of the steps in which the sparsity rises
UPDATES = 20  # how often it does, at most
FEWEST = 10  # steps


def is_pointwise(layer):
    """Whether a layer is a 1x1 convolution or a dense layer: most weights, few of the rest."""
    kind = type(layer).__name__
    return kind == "Dense" or (
        kind == "Conv2D" and tuple(layer.kernel_size) == (1, 1) and layer.groups == 1
    )


@within_ranges
def prune(
    model: keras.Model,
    train_data: Iterable,
    sparsity: Annotated[float, Within("(0, 1)")] = 0.5,
    *,
    epochs: Count = 3,
    steps: Count | None = None,
    learning_rate: Positive = 1e-3,
    distillation: Fraction = 0.5,
    which: Callable[[Any], bool] = is_pointwise,
    console: Console | None = None,
) -> keras.Model:
    """Prunes a classifier with TFMOT: zeros in its kernels, by magnitude, as it trains on.

    Files get smaller once they are compressed. It gets faster only where the runtime has sparse
    kernels (XNNPACK's need 1x1 convolutions and a sparsity of 0.7 or more): measure.

    Args:
        model: As `quantize_aware`, of any image size; left as it is.
        train_data: As `quantize_aware`.
        sparsity: Fraction of each kernel that becomes 0, in (0, 1).
        epochs: How often to go through `train_data`.
        steps: Batches in all, instead of `epochs`; 10 at least.
        learning_rate, distillation: As `quantize_aware`.
        which: A function of a layer: whether its kernel is pruned.
        console: As `quantize_aware`.

    Returns:
        A functional Keras 3 model of stock layers, as `deploy(model, passes=())`, with the sparse
        kernels; `deploy` it, export it, or hand it to `quantize_aware`.

    Raises:
        ImportError, TypeError, ValueError, FloatingPointError: As `quantize_aware`; and if
            nothing is to be pruned.
    """
    arguments.require_trainable(model)
    batches = Batches(
        train_data,
        model.input_shape,
        count_classes(model),
        epochs,
        steps,
        model.output_shape[1:-1],
    )
    if batches.steps < FEWEST:
        raise ValueError(
            f"Pruning takes {FEWEST} steps at least, in which the sparsity rises. Received: "
            f"{batches.steps}."
        )
    console = console or Console(quiet=True)
    console.file = console.file  # standard output as it is now: below it is held back
    with quiet(unless=()):
        from keras_ghostnet.export.quantization.configs import tfmot
        from keras_ghostnet.export.quantization.fine_tuning import fine_tune
        from keras_ghostnet.export.quantization.softmax import split_head

        stock = deploy(model, passes=())
        student, pruned = _prunable(to_tf_keras(stock), which, sparsity, batches.steps)
        before_head, to_logits = split_head(student)

        def student_logits(images):
            return to_logits(before_head(images, training=True))

        def before_step(number):
            for layer in pruned:
                layer.pruning_step.assign(number)

        with step(console) as done:
            fine_tune(
                student_logits,
                student.trainable_variables,
                functools.partial(logits, for_tracing(stock)),
                batches,
                learning_rate=learning_rate,
                distillation=distillation,
                console=console,
                before_step=before_step,
            )
            for layer in pruned:
                layer.pruning_obj.weight_mask_op()  # the last step moved zeros as well
            done(f"pruned {len(pruned)} kernels to {sparsity:.0%} zeros")
        copy_weights(tfmot.sparsity.keras.strip_pruning(student), stock)
    return stock


def _prunable(model, which, sparsity, steps):
    """The model with TFMOT's wrappers, and these."""
    import tf_keras

    from keras_ghostnet.export.quantization.configs import plain_convolution, tfmot

    frequency = max(1, steps // UPDATES)
    end = frequency * max(1, int(steps * RISE) // frequency)
    schedule = tfmot.sparsity.keras.PolynomialDecay(
        initial_sparsity=0.0,
        final_sparsity=sparsity,
        begin_step=0,
        end_step=end,
        frequency=frequency,
    )
    wrapped = []

    def wrap(layer):
        if not which(layer):
            return plain_convolution(layer)
        wrapped.append(tfmot.sparsity.keras.prune_low_magnitude(layer, pruning_schedule=schedule))
        return wrapped[-1]

    model.trainable = True
    student = tf_keras.models.clone_model(model, clone_function=wrap)
    if not wrapped:
        raise ValueError(f"{model.name} has no layer to prune: `which` chose none.")
    return student, wrapped
