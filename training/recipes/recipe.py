"""What a training run is made of, and how its settings are changed by name."""

import dataclasses
from collections.abc import Iterable
from typing import Annotated, Any, Final, Literal

from keras_ghostnet import specs
from keras_ghostnet.training.data import Augmentation
from keras_ghostnet.training.recipes.class_weights import (
    ClassWeights,
    format_class_weights,
    parse_class_weights,
    validated,
)
from keras_ghostnet.training.settings import (
    Ascending,
    Count,
    Custom,
    Fraction,
    NotNegative,
    PartialFraction,
    Pixels,
    Positive,
    PositiveFraction,
    Seed,
    format_setting,
    kinds,
    parse_setting,
    validate_settings,
)

SEGMENTATION: Final = "segmentation"  # a task
INNER = "augmentation"  # whose settings have names such as `augmentation.flip`
DESCRIPTIVE = ("name", "published")  # fields that change nothing in a run


@dataclasses.dataclass(frozen=True, kw_only=True)
class Recipe:
    """Settings of one training run, all of them.

    Attributes:
        name: The recipe's own name.
        published: What the source reached, in words; empty where there is nothing.
        task: `"classification"`: every image has a class; or `"segmentation"`: every pixel has one.
        model: A name of `keras_ghostnet.list_models()`, `"ghostnet_WWW"` of any width, or the path
            of a `.keras` file, which is taken with its weights. For segmentation a named network
            gets the head of `keras_ghostnet.segmenter`; a file's must output maps of classes.
        epochs: How often to go through the training images.
        batch_size: Images in a step, over all replicas.
        image_size: Side of the square that the network sees, pixels.
        crop: Part of the scaled image's shorter side that evaluation looks at, in (0, 1].
        learning_rate: The peak, for `batch_size`.
        warmup_epochs: Epochs in which the rate rises linearly from 0 to the peak.
        schedule: `"cosine"` to 0, `"step"`, `"exponential"` or `"constant"`.
        milestones: Epochs after which `"step"` multiplies the rate by `decay`.
        decay: Factor of `"step"` and `"exponential"`.
        decay_epochs: Epochs after each of which `"exponential"` multiplies by it, counted from the
            run's beginning.
        optimizer: `"sgd"`, `"rmsprop"` (in TensorFlow's sense, `optimization.RMSprop`), `"adamw"`
            or `"lamb"`.
        momentum: Of SGD and RMSprop.
        nesterov: Whether SGD's momentum is Nesterov's.
        rho: What RMSprop keeps of its mean of squared gradients.
        betas: What AdamW and LAMB keep of the means of gradients and of their squares.
        epsilon: Added to the mean of squares by RMSprop, to its root by AdamW and LAMB.
        l2: Weight decay in the papers' sense: `l2 * weight` is added to the gradient before
            the momentum, for the kernels of convolutions and dense layers (not depthwise ones).
        weight_decay: Decoupled decay: the same kernels shrink by `rate * weight_decay` a step,
            beside the momentum. What AdamW and LAMB do; not what the papers with SGD did.
        label_smoothing: Part of the target that is spread over all classes, in [0, 1).
        dropout_rate: In front of the classifier, in [0, 1).
        drop_path: Stochastic depth: the fraction of the examples that pass the last bottleneck
            unchanged, in [0, 1); from the first one on it rises linearly.
        accumulate: Parts in which a replica takes its batch, one after the other, with one update
            for all: as large a batch as the recipe's where memory has no room for it. Batch norm
            sees the parts.
        clip_norm: Global norm to which gradients are clipped; 0 for none.
        ema: Momentum of a moving average of the weights, by which evaluation goes and which is
            saved; 0 for none.
        precision: Keras' dtype policy.
        synchronized_bn: Which batch norms take their statistics over all replicas: `"pooled"` for
            those that see one value per image, as in G-GhostNet's mix, `"all"` or `"none"`. The
            others take them over each replica's own images.
        weights: As the model's constructor: what fine-tuning starts from, unless the model is a
            file. Of a branch of the hub (`hf://`) it is the commit of the run's start, also when
            the run resumes.
        teacher: A `.keras` file, a run's folder, a published model's name or, of the command, an
            exported file: a classifier to distill from, which takes the same images and has the
            same classes; None for none.
        distillation: The distance to the teacher as a fraction of the loss, in [0, 1].
        temperature: By which both networks' logits are divided there.
        class_weights: By which an image's loss, or a pixel's, is multiplied: `"balanced"` by the
            number of training images, or pixels, of its class
            (`class_weights.weights_of_classes`), one number for each
            class, or numbers by name; None for the same weight.
        augmentation: What is done to training images.
        seed: Of initial weights, order, augmentation and dropout.

    Raises:
        ValueError: If a setting is not of its type or out of its range, `nesterov` is set for
            another optimizer than SGD, or the augmentation does not fit the task.
    """

    name: str
    published: str = ""
    task: Literal["classification", "segmentation"] = "classification"
    model: str
    epochs: Count
    batch_size: Count
    image_size: Pixels = 224
    crop: PositiveFraction = 0.875
    learning_rate: Positive
    warmup_epochs: NotNegative = 0.0
    schedule: Literal["cosine", "step", "exponential", "constant"] = "cosine"
    milestones: Annotated[tuple[Positive, ...], Ascending()] = ()
    decay: PositiveFraction = 0.1
    decay_epochs: Positive = 2.4
    optimizer: Literal["sgd", "rmsprop", "adamw", "lamb"] = "sgd"
    momentum: PartialFraction = 0.9
    nesterov: bool = False
    rho: PartialFraction = 0.9
    betas: tuple[PartialFraction, PartialFraction] = (0.9, 0.999)
    epsilon: Positive = 1e-8
    l2: NotNegative = 0.0
    weight_decay: NotNegative = 0.0
    label_smoothing: PartialFraction = 0.0
    dropout_rate: PartialFraction = 0.2
    drop_path: PartialFraction = 0.0
    accumulate: Count = 1
    clip_norm: NotNegative = 0.0
    ema: PartialFraction = 0.0
    precision: Literal["float32", "mixed_bfloat16", "mixed_float16"] = "float32"
    synchronized_bn: Literal["none", "pooled", "all"] = "pooled"
    weights: str | None = None
    teacher: str | None = None
    distillation: Fraction = 0.5
    temperature: Positive = 1.0
    class_weights: Annotated[
        ClassWeights, Custom(parse_class_weights, validated, format_class_weights)
    ] = None
    augmentation: Augmentation = dataclasses.field(default_factory=Augmentation)
    seed: Seed = 0

    def __post_init__(self):
        validate_settings(self)
        if self.nesterov and self.optimizer != "sgd":
            raise ValueError(
                "`nesterov` is a kind of SGD's momentum: set nesterov=false. Received: "
                f"optimizer={self.optimizer!r}."
            )
        if self.task == SEGMENTATION:
            self.augmentation.require_fit_for_maps()


def override(recipe: Recipe, settings: Iterable[str]) -> Recipe:
    """A recipe with some settings changed.

    Args:
        recipe: A `Recipe`.
        settings: Strings `"key=value"`; `augmentation.key=value` reaches into the augmentation.

    Returns:
        A new `Recipe`.

    Raises:
        ValueError: If a key is unknown (the message suggests the nearest) or a value is not of
            its type or out of its range.
    """
    known = _kinds()
    changes: dict[str, Any] = {}
    inner: dict[str, Any] = {}
    for setting in settings:
        key, separator, text = setting.partition("=")
        if not separator:
            raise ValueError(f"--set takes key=value. Received: {setting!r}")
        if key not in known:
            raise ValueError(f"There is no setting {key!r}.{specs.suggest(key, known)}")
        value = parse_setting(known[key], key, text)
        outer, _, name = key.rpartition(".")
        (inner if outer else changes)[name] = value
    if inner:
        changes[INNER] = dataclasses.replace(recipe.augmentation, **inner)
    return dataclasses.replace(recipe, **changes)


def list_settings(recipe: Recipe) -> list[str]:
    """All settings of a recipe, strings `"key=value"` as `override` takes them."""
    return [
        f"{key}={format_setting(kind, getattr(getattr(recipe, outer) if outer else recipe, name))}"
        for key, kind in _kinds().items()
        for outer, _, name in [key.rpartition(".")]
    ]


def _kinds():
    """The annotations of all settings by name, those of the augmentation among them."""
    outer = {name: kind for name, kind in kinds(Recipe).items() if name not in DESCRIPTIVE}
    del outer[INNER]
    return outer | {f"{INNER}.{name}": kind for name, kind in kinds(Augmentation).items()}
