"""Weights of one form of a network for the other: branches and batch norms folded, or not yet."""

import dataclasses

import numpy as np

from keras_ghostnet.layers.convolution import BN_EPSILON

NORM = ("gamma", "beta", "moving_mean", "moving_variance")


@dataclasses.dataclass(frozen=True)
class _Made:
    """An array that was made of those of other paths, which are `used` then."""

    array: np.ndarray
    used: tuple


def fit(found, variables):
    """A checkpoint's values in the form of a model, some of whose variables it lacks.

    A convolution with a bias takes the sum of its branches, each scaled and shifted by its batch
    norm. The other way round the first branch takes the folded kernel, and its batch norm adds
    the bias; those of the other branches scale by 0, and their kernels stay as they are. Both
    compute the same function at inference but for rounding. Computed in double precision.

    Args:
        found: Dictionary from the paths of variables to `(name, array or None)`.
        variables: The model's variables.

    Returns:
        `(found, made)`: a new dictionary, in which several names are joined by commas; and how
        many of the variables got their arrays from others.
    """
    arrays = {path: array for path, (_, array) in found.items() if array is not None}
    missing = {v.path: v for v in variables if v.path not in arrays}
    made = {**_folded(arrays, missing), **_unfolded(arrays, missing)}
    used = {path for value in made.values() for path in value.used}
    result = {path: value for path, value in found.items() if path not in used}
    for path, value in made.items():
        result[path] = (", ".join(found[source][0] for source in value.used), value.array)
    return result, len(made)


def _folded(arrays, missing):
    made = {}
    for path, bias in missing.items():
        layer, _, name = path.rpartition("/")
        branches = _branches(arrays, layer)
        if name != "bias" or not branches:
            continue
        channels = bias.shape[0]
        shape = arrays[f"{branches[0][0]}/kernel"].shape
        depthwise = shape[-1] != channels
        kernel, shift, used = np.zeros(shape), np.zeros(channels), []
        for convolution, norm in branches:
            gamma, beta, mean, variance = (
                arrays[f"{norm}/{name}"].astype("float64") for name in NORM
            )
            scale = gamma / np.sqrt(variance + BN_EPSILON)
            if convolution:
                part = arrays[f"{convolution}/kernel"]
                used.append(f"{convolution}/kernel")
            else:  # a batch norm of the input itself
                part = (np.ones(shape[-2:]) if depthwise else np.eye(channels))[None, None]
            top, left = ((a - b) // 2 for a, b in zip(shape[:2], part.shape[:2], strict=True))
            center = kernel[top : shape[0] - top, left : shape[1] - left]
            center += part * (scale.reshape(shape[-2:]) if depthwise else scale)
            shift += beta - mean * scale
            used += [f"{norm}/{name}" for name in NORM]
        made[f"{layer}/kernel"] = _Made(kernel, tuple(used))
        made[path] = _Made(shift, tuple(used))
    return made


def _branches(arrays, layer):
    """What a convolution is the sum of: pairs of convolution (or None) and batch norm.

    The first has the largest kernel. Empty if they are not whole.
    """
    if f"{layer}/kernel" in arrays:
        branches = [(layer, _exchanged(layer, "conv", "bn"))]
    else:
        inside = {path.rpartition("/")[0] for path in arrays if path.startswith(f"{layer}/")}
        norms = sorted(part for part in inside if f"{part}/gamma" in arrays)
        pairs = [(_exchanged(norm, "bn", "conv"), norm) for norm in norms]
        branches = [(c if f"{c}/kernel" in arrays else None, norm) for c, norm in pairs]
    whole = all(f"{norm}/{name}" in arrays for _, norm in branches for name in NORM)
    return branches if whole and branches and branches[0][0] else []


def _unfolded(arrays, missing):
    made = {}
    for path, variable in missing.items():
        layer, _, name = path.rpartition("/")
        parent, _, part = layer.rpartition("/")
        shape, bias = tuple(variable.shape), f"{_exchanged(layer, 'bn', 'conv')}/bias"
        first = bias in arrays or part in ("conv1", "bn1")
        bias = bias if bias in arrays else f"{parent}/bias"
        if name == "kernel" and f"{parent}/kernel" in arrays:
            array = arrays[f"{parent}/kernel"] if first else variable.numpy()
            made[path] = _Made(array, (f"{parent}/kernel",))
        elif name in NORM and bias in arrays:
            array = {
                "gamma": np.sqrt(1 + BN_EPSILON) if first else 0.0,
                "beta": arrays[bias] if first else 0.0,
                "moving_mean": 0.0,
                "moving_variance": 1.0,
            }[name]
            made[path] = _Made(np.broadcast_to(array, shape), (bias,))
    return made


def _exchanged(layer, old, new):
    """The path of a convolution's batch norm, or of a batch norm's convolution."""
    place, slash, name = layer.rpartition("/")
    return place + slash + new.join(name.rsplit(old, 1))
