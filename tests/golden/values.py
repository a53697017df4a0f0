"""The values of a golden checkpoint: a golden file lists names and shapes, never the tensors.

A tensor's values depend on its own name and shape alone, so that any reader of a golden file
rebuilds the very checkpoint that the recorded outputs were computed from.
"""

import zlib

import numpy as np


def tensor(name, shape, role):
    """Values of one tensor of a checkpoint.

    Args:
        name: The checkpoint's own name of it.
        shape: The checkpoint's own layout.
        role: `("kernel", fan_in)`, `"scale"`, `"offset"`, `"mean"` or `"variance"`.

    Returns:
        A float32 array.
    """
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    if isinstance(role, (tuple, list)):
        _, fan_in = role
        return (rng.standard_normal(shape) * np.sqrt(2.0 / fan_in)).astype(np.float32)
    if role in ("scale", "variance"):
        return rng.uniform(0.5, 1.5, shape).astype(np.float32)
    return (0.1 * rng.standard_normal(shape)).astype(np.float32)


def image_batch(seed, batch, height, width):
    """The recorded input, already normalized: float32 `(batch, height, width, 3)`."""
    rng = np.random.default_rng(seed)
    return rng.standard_normal((batch, height, width, 3)).astype(np.float32)
