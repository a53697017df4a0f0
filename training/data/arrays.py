"""The examples of a small source in memory, for calibration and verification."""

import numpy as np

from keras_ghostnet.training.data.pipeline import Pipeline


def to_arrays(
    pipeline: Pipeline, batch_size: int = 64
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All examples that can be used, in their order.

    Args:
        pipeline: A `Pipeline` that was made with `training=False`.
        batch_size: Examples that are read at a time; it does not change the result.

    Returns:
        Images float32 `(n, height, width, 3)`, normalized, labels int32 `(n,)`, and the numbers
        of the examples in the source, int64 `(n,)`.

    Raises:
        ValueError: If more examples are bad than the pipeline allows.
    """
    parts = []
    with pipeline.explained():
        for batch in pipeline.batches(0, global_batch=batch_size):
            used = batch["weight"].numpy() > 0
            parts.append([batch[name].numpy()[used] for name in ("image", "label", "index")])
    images, labels, indices = (np.concatenate(part) for part in zip(*parts, strict=True))
    return images, labels, indices
