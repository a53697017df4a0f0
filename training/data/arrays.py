"""The examples of a small source in memory, for calibration and verification."""

import numpy as np


def to_arrays(pipeline, batch_size=64):
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
    return tuple(np.concatenate(part) for part in zip(*parts, strict=True))
