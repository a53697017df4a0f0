"""What Paddle's GhostNet computes differently, turned into our network's terms exactly.

Source: PaddleClas, `ppcls/arch/backbone/model_zoo/ghostnet.py`.
"""

import numpy as np

from keras_ghostnet.layers.convolution import BN_EPSILON
from keras_ghostnet.specs import make_divisible


def to_torch_terms(tensors, layout, spec, path):
    """A Paddle checkpoint's arrays as if it had been trained with the authors' network.

    - Squeeze-and-excitation has `channels // 4` hidden units where the authors round to a
      multiple of 4: units are added whose weights are zero, so that they do nothing.
    - Its gate is `clip(x, 0, 1)` where the authors' is `clip((x + 3) / 6, 0, 1)`: weights and
      bias in front of it become `6 w` and `6 b - 3`.
    - Its head is a convolution with batch norm where the authors' has a bias: folded.

    Args:
        tensors: Dictionary of arrays as read.
        layout: The Paddle layout.
        spec: The network's `GhostNetSpec`.
        path: The file's path, for messages.

    Returns:
        A new dictionary of arrays.

    Raises:
        ValueError: If a tensor is missing or has another shape than Paddle's rules give it.
    """
    tensors = dict(tensors)
    layers = layout.layers(spec)
    for stage, blocks in enumerate(spec.stages, start=1):
        for number, block in enumerate(blocks, start=1):
            if block.se_ratio:
                prefix = f"stage{stage}_block{number}/se"
                units = make_divisible(block.expansion * block.se_ratio)
                squeeze, excite = layers[f"{prefix}/reduce"], layers[f"{prefix}/expand"]
                _squeeze_excite(tensors, squeeze, excite, units, path)
    if f"{layers['head']}._conv.weight" in tensors:
        _head(tensors, layers["head"], path)
    return tensors


def _take(tensors, name, ndim, path):
    array = tensors.get(name)
    if array is None or array.ndim != ndim:
        found = "is missing" if array is None else f"has shape {array.shape}"
        raise ValueError(f"{path}: {name} {found}; Paddle's GhostNet has it with {ndim} axes.")
    return array.astype(np.float64)


def _squeeze_excite(tensors, squeeze, excite, units, path):
    """Pads the hidden units and moves the gate's slope into the weights in front of it."""
    reduce_weight = _take(tensors, f"{squeeze}.weight", 2, path)  # (channels, hidden)
    reduce_bias = _take(tensors, f"{squeeze}.bias", 1, path)
    expand_weight = _take(tensors, f"{excite}.weight", 2, path)  # (hidden, channels)
    expand_bias = _take(tensors, f"{excite}.bias", 1, path)
    extra = units - reduce_weight.shape[1]
    if extra < 0:
        raise ValueError(
            f"{path}: {squeeze} has {reduce_weight.shape[1]} hidden units, the network has room "
            f"for {units}."
        )
    # As 1x1 convolutions, (out, in, 1, 1), like all others of the file.
    tensors[f"{squeeze}.weight"] = np.pad(reduce_weight, ((0, 0), (0, extra))).T[:, :, None, None]
    tensors[f"{squeeze}.bias"] = np.pad(reduce_bias, (0, extra))
    expand_weight = np.pad(expand_weight, ((0, extra), (0, 0)))
    tensors[f"{excite}.weight"] = 6.0 * expand_weight.T[:, :, None, None]
    tensors[f"{excite}.bias"] = 6.0 * expand_bias - 3.0


def _head(tensors, head, path):
    """Folds the head's batch norm into its convolution."""
    scale, offset, mean, variance = (
        _take(tensors, f"{head}._batch_norm.{name}", 1, path)
        for name in ("weight", "bias", "_mean", "_variance")
    )
    kernel = _take(tensors, f"{head}._conv.weight", 4, path)[:, :, 0, 0]  # (units, features)
    factor = scale / np.sqrt(variance + BN_EPSILON)
    for name in [name for name in tensors if name.startswith(f"{head}.")]:
        del tensors[name]
    tensors[f"{head}.weight"] = (kernel * factor[:, None]).T
    tensors[f"{head}.bias"] = offset - mean * factor
