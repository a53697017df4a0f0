"""Weights of classes in the loss, for images of which some classes have few."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from keras_ghostnet import specs

if TYPE_CHECKING:  # the command answers about recipes without it
    import numpy as np

    from keras_ghostnet.training.data import ImageSource

BALANCED = "balanced"

# None, "balanced", weights in the order of the classes, or weights by name.
ClassWeights = str | tuple[float, ...] | dict[str, float] | None


def parse_class_weights(text: str) -> ClassWeights:
    """Parses a setting: `none`, `balanced`, `1,2.5` or `ant=2,bee=0.5`.

    Raises:
        ValueError: If it is none of these.
    """
    if text.lower() in ("none", BALANCED):
        return None if text.lower() == "none" else BALANCED
    try:
        if "=" not in text:
            return tuple(float(part) for part in text.split(","))
        pairs = [part.rpartition("=") for part in text.split(",")]
        if len({name for name, *_ in pairs}) == len(pairs):
            return {name: float(weight) for name, _, weight in pairs}
    except ValueError:
        pass
    raise ValueError(
        "`class_weights` takes none, balanced, a number for each class (1,2.5) or numbers by name "
        f"(ant=2,bee=0.5). Received: class_weights={text!r}"
    )


def format_class_weights(setting: ClassWeights) -> str:
    """A setting as the text that `parse_class_weights` takes."""
    if isinstance(setting, Mapping):
        return ",".join(f"{name}={weight}" for name, weight in setting.items())
    return setting if isinstance(setting, str) else ",".join(map(str, setting or ()))


def validated(setting: ClassWeights | Sequence[float] | Mapping[str, float]) -> ClassWeights:
    """A setting as a recipe keeps it: a dictionary of weights by name, or a tuple of all.

    Raises:
        ValueError: If it is not `ClassWeights`, or a weight is not positive and finite.
    """
    if setting is None or setting == BALANCED:
        return setting
    if isinstance(setting, str):
        return validated(parse_class_weights(setting))
    if isinstance(setting, Mapping):
        return dict(zip(setting, _positive(setting.values()), strict=True))
    return _positive(setting)


def weights_of_classes(setting: ClassWeights, source: ImageSource) -> np.ndarray | None:
    """The weight of each class of a source.

    Args:
        setting: A recipe's `class_weights`.
        source: The training split, an `ImageSource`. Its labels are counted for `"balanced"`
            alone, for which TFRecords are read once.

    Returns:
        Float32 `(classes,)`; None if all weigh the same. Balanced, class c with n_c of n images
        weighs n / (classes * n_c): all classes have the same share of the loss, and the mean weight
        of an image is 1. Classes that a dictionary does not name weigh 1, as with Keras'
        `class_weight`.

    Raises:
        ValueError: If there is no such class, weights are too few or too many, or a class to
            balance has no image.
    """
    import numpy as np

    names = tuple(source.class_names)
    if setting is None:
        return None
    if setting == BALANCED:
        counts = count_classes(source)
        empty = [name for name, count in zip(names, counts, strict=True) if not count]
        if empty:
            raise ValueError(
                f"class_weights=balanced: {source.name} has no image of {', '.join(empty[:5])}. "
                "Remove these classes, or give the weights of the others by name."
            )
        return (counts.sum() / (len(names) * counts)).astype(np.float32)
    if not isinstance(setting, Mapping):
        if len(setting) != len(names):
            raise ValueError(
                f"`class_weights` has {len(setting)} numbers; {source.name} has {len(names)} "
                "classes."
            )
        return np.array(setting, np.float32)
    for name in setting:
        if name not in names:
            raise ValueError(
                f"`class_weights`: {source.name} has no class {name!r}."
                + specs.suggest(name, names)
            )
    return np.array([setting.get(name, 1.0) for name in names], np.float32)


def count_classes(source: ImageSource) -> np.ndarray:
    """How many images of each class a source has, or pixels of maps, int64 `(classes,)`."""
    import numpy as np

    labels = getattr(source.reader, "labels", None)
    classes = len(source.class_names)
    counts = np.zeros(classes, np.int64)
    for label in [labels] if labels is not None else _read_labels(source):
        label = np.ravel(label).astype(np.int64)
        counts += np.bincount(label[(label >= 0) & (label < classes)], minlength=classes)
    return counts


def _read_labels(source):
    for index in range(source.examples):
        try:
            yield source.reader.read(index)[1]
        except ValueError:  # a bad example, which training reports
            continue


def _positive(numbers):
    weights = tuple(float(number) for number in numbers)
    wrong = [weight for weight in weights if not 0 < weight < math.inf]
    if wrong or not weights:
        found = ", ".join(map(str, wrong)) or "none"
        raise ValueError(f"`class_weights` must be positive numbers. Found: {found}")
    return weights
