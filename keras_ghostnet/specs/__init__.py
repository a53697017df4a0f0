"""All families as tables: the rows of the papers, and everything that is derived from them.

A module per kind of network. Nothing but the standard library is imported here: a specification
can be read, compared and tested without Keras.
"""

import difflib
from collections.abc import Iterable

from keras_ghostnet.specs.c_ghost import (
    GHOSTNET_DIVISOR,
    GHOSTNET_FINAL,
    GHOSTNET_STAGES,
    GHOSTNET_WIDTHS,
    GHOSTNETV2_STAGES,
    GHOSTNETV2_WIDTHS,
    GHOSTNETV3_WIDTHS,
    REPGHOSTNET_STAGES,
    REPGHOSTNET_WIDTHS,
    GhostBlock,
    GhostNetSpec,
    GhostNetV2Spec,
    GhostNetV3Spec,
    RepGhostNetSpec,
    ghostnet,
    ghostnetv2,
    ghostnetv3,
    make_divisible,
    repghostnet,
)
from keras_ghostnet.specs.cifar import (
    RESNET56_STAGES,
    RESNET56_STEM,
    VGG16_HEAD,
    VGG16_STAGES,
    CifarSpec,
    ghost_resnet56,
    ghost_vgg16,
)
from keras_ghostnet.specs.conventions import (
    CIFAR_SIZE,
    IMAGENET_SIZE,
    MIN_SIZE,
    OUTPUT_STRIDES,
    stage_dilations,
)
from keras_ghostnet.specs.g_ghost import (
    REGNET_STEM,
    REGNETX,
    GGhostSpec,
    GGhostStageSpec,
    g_ghost_regnetx,
    is_ghost_stage,
)

__all__ = [
    "CIFAR_SIZE",
    "CifarSpec",
    "GGhostSpec",
    "GGhostStageSpec",
    "GHOSTNETV2_STAGES",
    "GHOSTNETV2_WIDTHS",
    "GHOSTNETV3_WIDTHS",
    "GHOSTNET_DIVISOR",
    "GHOSTNET_FINAL",
    "GHOSTNET_STAGES",
    "GHOSTNET_WIDTHS",
    "GhostBlock",
    "GhostNetSpec",
    "GhostNetV2Spec",
    "GhostNetV3Spec",
    "IMAGENET_SIZE",
    "MIN_SIZE",
    "MODELS",
    "OUTPUT_STRIDES",
    "REGNETX",
    "REGNET_STEM",
    "REPGHOSTNET_STAGES",
    "REPGHOSTNET_WIDTHS",
    "RESNET56_STAGES",
    "RESNET56_STEM",
    "RepGhostNetSpec",
    "SPECS",
    "Spec",
    "VGG16_HEAD",
    "VGG16_STAGES",
    "g_ghost_regnetx",
    "get_spec",
    "ghost_resnet56",
    "ghost_vgg16",
    "ghostnet",
    "ghostnetv2",
    "ghostnetv3",
    "is_ghost_stage",
    "make_divisible",
    "repghostnet",
    "stage_dilations",
    "suggest",
]

Spec = GhostNetSpec | GGhostSpec | CifarSpec

MODELS: tuple[Spec, ...] = (
    *map(ghostnet, GHOSTNET_WIDTHS),
    *map(ghostnetv2, GHOSTNETV2_WIDTHS),
    *map(ghostnetv3, GHOSTNETV3_WIDTHS),
    *map(repghostnet, REPGHOSTNET_WIDTHS),
    *(g_ghost_regnetx(size) for size in REGNETX),
    ghost_vgg16(),
    ghost_resnet56(),
)
SPECS = {spec.name: spec for spec in MODELS}


def get_spec(name: str) -> Spec:
    """The specification that bears a name.

    Args:
        name: A key of `SPECS`, e.g. `"ghostnet_130"`.

    Returns:
        A `GhostNetSpec` (or its successors'), a `GGhostSpec` or a `CifarSpec`.

    Raises:
        ValueError: If no model bears that name; the message suggests the nearest.
    """
    if name not in SPECS:
        raise ValueError(f"Unknown model {name!r}.{suggest(name, SPECS)}")
    return SPECS[name]


def suggest(given: object, known: Iterable[str]) -> str:
    """The tail of an error message about an unknown name: the nearest name and all of them."""
    likeness = {name: difflib.SequenceMatcher(None, str(given), name).ratio() for name in known}
    for name in likeness:  # "lr" is nearer to "learning_rate" than to "l2"
        if given and name.startswith(str(given)):
            likeness[name] += 1
        last = name.rpartition(".")[2]
        words = last.split("_")
        if given in (last, words[-1], "".join(word[:1] for word in words)):
            likeness[name] = max(likeness[name], 1.0)
    near = max(sorted(likeness), key=likeness.__getitem__, default="")
    hint = f" Did you mean {near!r}?" if likeness.get(near, 0) > 0.5 else ""
    return f"{hint} Known: {', '.join(sorted(likeness))}."
