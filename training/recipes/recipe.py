"""What a training run is made of, and how its settings are changed by name."""

import dataclasses
import types
import typing
from collections.abc import Iterable

from keras_ghostnet import specs
from keras_ghostnet.training.data import Augmentation
from keras_ghostnet.training.recipes.class_weights import (
    ClassWeights,
    parse_class_weights,
    validated,
)

SCHEDULES = ("cosine", "step", "constant")
BOOLEANS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Recipe:
    """Settings of one training run, all of them.

    Attributes:
        name: The recipe's own name.
        published: What the source reached, in words; empty where there is nothing.
        model: A name of `keras_ghostnet.list_models()`, or `"ghostnet_WWW"` of any width.
        epochs: How often to go through the training images.
        batch_size: Images in a step, over all replicas.
        image_size: Side of the square that the network sees, pixels.
        crop: Part of the scaled image's shorter side that evaluation looks at, in (0, 1].
        learning_rate: The peak, for `batch_size`.
        warmup_epochs: Epochs in which the rate rises linearly from 0 to the peak.
        schedule: `"cosine"` to 0, `"step"` or `"constant"`.
        milestones: Epochs after which `"step"` multiplies the rate by `decay`.
        decay: Factor of `"step"`.
        momentum: Of SGD.
        nesterov: Whether the momentum is Nesterov's.
        l2: Weight decay in the papers' sense: `l2 * weight` is added to the gradient before
            the momentum, for the kernels of convolutions and dense layers (not depthwise ones).
        weight_decay: Decoupled decay: the same kernels shrink by `rate * weight_decay` a step,
            beside the momentum. Not what the papers did.
        label_smoothing: Part of the target that is spread over all classes, in [0, 1).
        dropout_rate: In front of the classifier, in [0, 1).
        accumulate: Parts in which a replica takes its batch, one after the other, with one update
            for all: as large a batch as the recipe's where memory has no room for it. Batch norm
            sees the parts.
        clip_norm: Global norm to which gradients are clipped; 0 for none.
        ema: Momentum of a moving average of the weights, by which evaluation goes and which is
            saved; 0 for none.
        precision: Keras' dtype policy.
        synchronized_bn: Whether batch norm takes its statistics over all replicas.
        weights: As the model's constructor: what fine-tuning starts from.
        teacher: A `.keras` file, a run's folder or a published model's name: a classifier to
            distill from, which takes the same images and has the same classes; None for none.
        distillation: The distance to the teacher as a fraction of the loss, in [0, 1].
        temperature: By which both networks' logits are divided there.
        class_weights: By which an image's loss is multiplied: `"balanced"` by the number of
            training images of its class (`class_weights.weights_of_classes`), one number for each
            class, or numbers by name; None for the same weight.
        augmentation: What is done to training images.
        seed: Of initial weights, order, augmentation and dropout.
    """

    name: str
    published: str = ""
    model: str
    epochs: int
    batch_size: int
    image_size: int = 224
    crop: float = 0.875
    learning_rate: float
    warmup_epochs: float = 0.0
    schedule: str = "cosine"
    milestones: tuple = ()
    decay: float = 0.1
    momentum: float = 0.9
    nesterov: bool = False
    l2: float = 0.0
    weight_decay: float = 0.0
    label_smoothing: float = 0.0
    dropout_rate: float = 0.2
    accumulate: int = 1
    clip_norm: float = 0.0
    ema: float = 0.0
    precision: str = "float32"
    synchronized_bn: bool = False
    weights: str | None = None
    teacher: str | None = None
    distillation: float = 0.5
    temperature: float = 1.0
    class_weights: ClassWeights = None
    augmentation: Augmentation = dataclasses.field(default_factory=Augmentation)
    seed: int = 0

    def __post_init__(self):
        object.__setattr__(self, "class_weights", validated(self.class_weights))
        for name, allowed in (("schedule", SCHEDULES), ("precision", PRECISIONS)):
            if getattr(self, name) not in allowed:
                raise ValueError(
                    f"`{name}` must be one of {allowed}. Found: {getattr(self, name)!r}"
                )
        for name in ("epochs", "batch_size", "image_size", "accumulate"):
            if getattr(self, name) < 1:
                raise ValueError(f"`{name}` must be at least 1. Found: {getattr(self, name)}")
        for name in ("label_smoothing", "dropout_rate", "momentum", "ema"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"`{name}` must be in [0, 1). Found: {getattr(self, name)}")
        if not 0 <= self.distillation <= 1:
            raise ValueError(f"`distillation` must be in [0, 1]. Found: {self.distillation}")
        if not self.temperature > 0:
            raise ValueError(f"`temperature` must be above 0. Found: {self.temperature}")


def override(recipe: Recipe, settings: Iterable[str]) -> Recipe:
    """A recipe with some settings changed.

    Args:
        recipe: A `Recipe`.
        settings: Strings `"key=value"`; `augmentation.key=value` reaches into the augmentation.

    Returns:
        A new `Recipe`.

    Raises:
        ValueError: If a key is unknown (the message suggests the nearest) or a value is not of
            its type.
    """
    changes, inner = {}, {}
    for setting in settings:
        key, separator, text = setting.partition("=")
        if not separator:
            raise ValueError(f"--set takes key=value. Received: {setting!r}")
        outer, _, name = key.partition(".")
        if name and outer == "augmentation":
            inner[name] = _value(recipe.augmentation, name, text)
        else:
            changes[key] = _value(recipe, key, text)
    if inner:
        changes["augmentation"] = dataclasses.replace(recipe.augmentation, **inner)
    return dataclasses.replace(recipe, **changes)


def _value(settings, key, text):
    types_of = typing.get_type_hints(type(settings))
    if key not in types_of or key == "augmentation":
        known = [name for name in types_of if name != "augmentation"]
        raise ValueError(f"There is no setting {key!r}.{specs.suggest(key, known)}")
    if key == "class_weights":
        return parse_class_weights(text)
    kind = types_of[key]
    if isinstance(kind, types.UnionType):  # something or None
        if text.lower() == "none":
            return None
        (kind,) = [option for option in typing.get_args(kind) if option is not type(None)]
    try:
        return _parse(kind, text)
    except ValueError:
        raise ValueError(f"`{key}` takes {_describe(kind)}. Received: {key}={text!r}") from None


def _parse(kind, text):
    if kind is bool:
        if text.lower() not in BOOLEANS:
            raise ValueError
        return BOOLEANS[text.lower()]
    if kind is tuple:
        return tuple(float(part) for part in text.split(",") if part)
    return kind(text)


def _describe(kind):
    names = {bool: "true or false", int: "an integer", float: "a number", str: "text"}
    return names.get(kind, "numbers separated by commas")
