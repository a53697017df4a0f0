"""The training images of a run, for formats that learn from them."""


class Epochs:
    """Batches of a pipeline, those of another epoch each time.

    Args:
        pipeline: A `keras_ghostnet.training.data.Pipeline` for training.
        batch_size: Images at a time.
    """

    def __init__(self, pipeline, batch_size=32):
        self.pipeline, self.batch_size, self.epoch = pipeline, batch_size, 0

    def __len__(self):
        return self.pipeline.steps_per_epoch(self.batch_size)

    def __iter__(self):
        self.epoch += 1
        return iter(self.pipeline.batches(self.epoch, global_batch=self.batch_size))


def open_training(data, size, recipe):
    """The training images of a source, varied as a run varied them.

    Args:
        data: As `keras_ghostnet.training.data.open_source`.
        size: `(height, width)` in pixels.
        recipe: The run's settings, a dictionary; without `augmentation` the pipeline's defaults.

    Returns:
        A `keras_ghostnet.training.data.Pipeline`.

    Raises:
        FileNotFoundError, ValueError: As `open_source`.
    """
    from keras_ghostnet.training.data import Augmentation, Pipeline, open_source

    seed = recipe.get("seed", 0)
    settings = {
        key: tuple(value) if isinstance(value, list) else value
        for key, value in recipe.get("augmentation", {}).items()
    }
    return Pipeline(
        open_source(data, "train", seed=seed),
        image_size=tuple(size),
        training=True,
        augmentation=Augmentation(**settings),
        seed=seed,
    )
