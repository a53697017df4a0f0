"""What a model takes of an image: pixels, or normalized values. No image is normalized twice."""

from __future__ import annotations

import inspect
import itertools

import keras
import numpy as np

from keras_ghostnet.preprocessing import normalize

NORMALIZED, PIXELS = "normalized", "pixels"
INPUTS = (NORMALIZED, PIXELS)
LEVELS = np.array([0.0, 128.0, 255.0])  # gray levels that show what a model does to pixels
# A scale and a center, in gray levels, that only a model of pixels has. Of normalized images they
# are 1 and 0; of images in [0, 1] above 1, and below 1.
LARGEST_SCALE, LEAST_CENTER = 0.1, 10


def resolve_input(model: keras.Model, given: str | None = None) -> str:
    """What a model takes, as it is given or as the model itself shows.

    A model takes pixels if what it does first scales them, or subtracts a mean gray level:
    `Rescaling`, `Normalization` (also within a nested model, behind augmentation, or of
    `include_preprocessing=True`), or arithmetic, such as `preprocess_input` in the model.

    Args:
        model: A Keras model of RGB images.
        given: `"normalized"`, as `keras_ghostnet.preprocess_input` makes it; `"pixels"`, float32 in
            [0, 255]; None detects which.

    Returns:
        `"normalized"` or `"pixels"`.

    Raises:
        ValueError: If `given` is neither, or the model scales what is neither.
    """
    if given is not None:
        if given not in INPUTS:
            raise ValueError(f"`input` must be one of {INPUTS}. Received: input={given!r}.")
        return given
    if not getattr(model, "inputs", None):
        return NORMALIZED
    (source,) = model.inputs[:1]
    if len(source.shape) != 4 or source.shape[-1] != 3:
        return NORMALIZED
    if not keras.backend.is_float_dtype(source.dtype):
        return PIXELS
    height, width = (size or 64 for size in source.shape[1:3])
    grays = np.broadcast_to(LEVELS.reshape(3, 1, 1, 1), (3, height, width, 3)).astype("float32")
    seen, _ = _run_ahead(model, keras.ops.cast(grays, source.dtype))
    zero, _, full = _centers(seen)
    scale = (full - zero) / LEVELS[-1]
    if np.allclose(scale, 1, atol=1e-3) and np.allclose(zero, 0, atol=1e-3):
        return NORMALIZED
    center = -zero / np.where(scale == 0, 1, scale)
    if np.all(np.abs(scale) < LARGEST_SCALE) or np.all(np.abs(center) > LEAST_CENTER):
        return PIXELS
    raise ValueError(
        f"{model.name} first scales images by {_text(scale)} and adds {_text(zero)}: it takes "
        "neither pixels, 0 to 255, nor images as `preprocess_input` normalizes them. Put what is "
        "missing in front, such as `keras.layers.Rescaling(1 / 255)` for images in [0, 1]; or say "
        "which of the two it takes with --input (`input=`)."
    )


def prepare(pixels: np.ndarray, kind: str) -> np.ndarray:
    """Pixels, `(n, height, width, 3)` in [0, 255], as models of a kind take them: float32."""
    return normalize(pixels) if kind == NORMALIZED else np.asarray(pixels, "float32")


def _run_ahead(model, images):
    """Runs a model as long as it only scales images.

    Returns:
        The images then, and whether the model ends there.
    """
    graph = getattr(model, "_functional", None) or model  # of a sequential model
    calls = {}
    for node in itertools.chain.from_iterable(graph._nodes_by_depth.values()):
        for tensor in node.input_tensors:
            calls.setdefault(id(tensor), []).append(node)
    tensor = graph.inputs[0]
    while len(found := calls.get(id(tensor), ())) == 1:
        (node,) = found
        after, is_done = _step(node, tensor, images)
        if after is not None:
            images = after
        if not is_done:
            return images, False
        (tensor,) = node.output_tensors
    return images, not found


def _step(node, tensor, images):
    """What a call makes of images, None if it does more than scale them; and whether it is done."""
    layer = node.operation
    if isinstance(layer, keras.Model):
        return _run_ahead(layer, images)
    has_weights = bool(getattr(layer, "weights", ()))
    if has_weights and not isinstance(layer, keras.layers.Normalization):
        return None, False
    if len(node.output_tensors) != 1 or len(node.input_tensors) != 1:
        return None, False
    args, options = node.arguments.fill_in({id(tensor): images})
    if "training" in inspect.signature(layer.call).parameters:
        options = {**options, "training": False}  # augmentation is on by default
    after = layer(*args, **options)
    if len(after.shape) != 4 or after.shape[-1] != 3:
        return None, False
    zero, middle, full = _centers(after)
    between = zero + (full - zero) * LEVELS[1] / LEVELS[2]
    is_linear = np.allclose(middle, between, atol=1e-2 * np.abs(full - zero).max() + 1e-6)
    return (after, True) if is_linear else (None, False)


def _centers(images):
    """The values of the pixel in the middle: `(n, 3)`."""
    images = keras.ops.convert_to_numpy(keras.ops.cast(images, "float32"))
    _, height, width, _ = images.shape
    return images[:, height // 2, width // 2].astype("float64")


def _text(values):
    return ", ".join(f"{value:.3g}" for value in values)
