"""`ghostnet evaluate`: a saved or published model on any source."""

import contextlib

from rich.progress import track

from keras_ghostnet import model_reference
from keras_ghostnet.training import distribution
from keras_ghostnet.training.data import Pipeline, open_source
from keras_ghostnet.training.evaluator import Evaluator


def evaluate(
    model,
    data,
    *,
    split="val",
    batch_size=64,
    crop=None,
    seed=None,
    strategy="auto",
    bad_limit=0.001,
    console=None,
):
    """Loss and accuracies of a model on a source, every example counted once.

    Args:
        model: A run's folder (its best model), a `.keras` file, or a name of `list_models()`,
            which comes with its ImageNet weights.
        data: As `keras_ghostnet.training.data.open_source`.
        split: `"train"` or `"val"`.
        batch_size: Examples at a time; it does not change the result.
        crop: Part of the scaled image's shorter side that is seen, in (0, 1]; None takes the
            run's, or 0.875.
        seed: Of the split, for a source without splits; None takes the run's, or 0.
        strategy: A name of `keras_ghostnet.training.distribution.STRATEGIES`.
        bad_limit: The part of the examples that may be impossible to use, in [0, 1].
        console: A `rich.console.Console` for progress; None shows none.

    Returns:
        A dictionary: `loss`, `accuracy`, `top5`, `examples`.

    Raises:
        FileNotFoundError: If there is no such model or source.
        ValueError: If the model's classes are not the source's, its image size is open, or too
            many examples are bad.
        OSError: If weights cannot be downloaded.
    """
    model = model_reference.find(model)
    strategy = distribution.strategy(strategy)
    source = open_source(data, split, seed=model.seed if seed is None else seed)
    if model.recipe:
        _check_classes(model.labels, source)
    with strategy.scope():
        network = model.load()
    _check_network(network, source)
    pipeline = Pipeline(
        source,
        image_size=network.input_shape[1:3],
        training=False,
        crop=model.crop if crop is None else crop,
        bad_limit=bad_limit,
    )
    with _progress(console, pipeline.steps_per_epoch(batch_size)) as progress:
        return Evaluator(network, strategy).evaluate(pipeline, batch_size, progress)


def _check_classes(names, source):
    if names != tuple(source.class_names):
        raise ValueError(
            f"The run was trained on other classes than those of {source.name}: "
            f"{', '.join(names[:5])} ... ({len(names)}), not "
            f"{', '.join(source.class_names[:5])} ... ({len(source.class_names)})."
        )


def _check_network(network, source):
    _, *size, channels = network.input_shape
    if None in size or channels != 3:
        raise ValueError(
            f"Evaluation needs a model of RGB images of a fixed size. {network.name!r} takes "
            f"{network.input_shape}."
        )
    if network.output_shape != (None, len(source.class_names)):
        raise ValueError(
            f"{network.name!r} puts out {network.output_shape}; {source.name} has "
            f"{len(source.class_names)} classes."
        )


@contextlib.contextmanager
def _progress(console, steps):
    """A function of the number of batches done, that moves a bar on a terminal."""
    if console is None or not console.is_terminal:
        yield None
        return
    bar = iter(track(range(steps), "evaluating", console=console, transient=True))
    next(bar)
    try:
        yield lambda done: next(bar, None)
    finally:
        bar.close()
