"""All families as tables: the rows of the papers, and everything that is derived from them.

C-GhostNet: *GhostNet: More Features from Cheap Operations*, Han et al., CVPR 2020
(arXiv 1911.11907), Table 1. G-GhostNet: *GhostNets on Heterogeneous Devices via Cheap
Operations*, Han et al., IJCV 2022 (arXiv 2201.03297), section 4, on RegNetX (Radosavovic et
al., CVPR 2020). Where paper and authors' code differ, the code is followed. VGG-16 and ResNet-56
for CIFAR, made of ghost modules: section 4.1 of the C-GhostNet paper.

This module imports nothing but the standard library: a specification can be read, compared
and tested without Keras.
"""

import dataclasses
import difflib
import functools
import numbers
from collections.abc import Iterable
from typing import ClassVar

# Side of the square images that a family was published for, pixels: `image_size` of its models.
IMAGENET_SIZE, CIFAR_SIZE = 224, 32

# --------------------------------------------------------------------------- C-GhostNet


@dataclasses.dataclass(frozen=True)
class GhostBlock:
    """One ghost bottleneck: a row of Table 1 of the C-GhostNet paper."""

    kernel: int
    expansion: int
    output: int
    se_ratio: float
    stride: int


# fmt: off
GHOSTNET_STAGES = (
    #          kernel  expansion  output    SE  stride
    (GhostBlock(    3,        16,     16,    0,      1),),  # 112 x 112
    (GhostBlock(    3,        48,     24,    0,      2),    #  56 x 56
     GhostBlock(    3,        72,     24,    0,      1),),
    (GhostBlock(    5,        72,     40, 0.25,      2),    #  28 x 28
     GhostBlock(    5,       120,     40, 0.25,      1),),
    (GhostBlock(    3,       240,     80,    0,      2),    #  14 x 14
     GhostBlock(    3,       200,     80,    0,      1),
     GhostBlock(    3,       184,     80,    0,      1),
     GhostBlock(    3,       184,     80,    0,      1),
     GhostBlock(    3,       480,    112, 0.25,      1),
     GhostBlock(    3,       672,    112, 0.25,      1),),
    (GhostBlock(    5,       672,    160, 0.25,      2),    #   7 x 7
     GhostBlock(    5,       960,    160,    0,      1),
     GhostBlock(    5,       960,    160, 0.25,      1),
     GhostBlock(    5,       960,    160,    0,      1),
     GhostBlock(    5,       960,    160, 0.25,      1),),
)
# fmt: on
GHOSTNET_STEM = 16  # 3x3 convolution of stride 2
GHOSTNET_FINAL = 960  # 1x1 convolution after the last stage
GHOSTNET_HEAD = 1280  # 1x1 convolution after the pooling; does not scale with the width
MAX_WIDTH = 50  # more channels than a layer takes
GHOSTNET_DIVISOR = 4  # channels are multiples of this


def make_divisible(value: float, divisor: int = GHOSTNET_DIVISOR) -> int:
    """Rounds `value` to a multiple of `divisor`, to no less than 90 % of `value`.

    The rounding of MobileNet and of the GhostNet authors' code.

    Args:
        value: A positive number of channels, before rounding.
        divisor: A positive integer.

    Returns:
        A positive integer, a multiple of `divisor`.
    """
    rounded = max(divisor, int(value + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * value else rounded


@dataclasses.dataclass(frozen=True)
class GhostNetSpec:
    """C-GhostNet of one width, all channels already scaled and rounded.

    Widths that round to the same channels are the same network and compare equal: a
    checkpoint, from which only the channels are known, fits all of them.

    Attributes:
        name: The model's name, e.g. `"ghostnet_100"`.
        width: The multiplier that the rows of Table 1 were scaled by.
        stem, final, head: Channels of the first, the last and the head's convolution.
        stages: A tuple of stages, each a tuple of `GhostBlock` with scaled channels.
    """

    name: str = dataclasses.field(compare=False)
    width: float = dataclasses.field(compare=False)
    stem: int
    stages: tuple[tuple[GhostBlock, ...], ...]
    final: int
    head: int = GHOSTNET_HEAD
    family: ClassVar[str] = "ghostnet"
    image_size: ClassVar[int] = IMAGENET_SIZE


def ghostnet(width: float) -> GhostNetSpec:
    """The specification of C-GhostNet at any width.

    Args:
        width: A positive number, at most 50: 0.5, 1.0 and 1.3 are the paper's.

    Returns:
        A `GhostNetSpec`.

    Raises:
        ValueError: If `width` is not a positive number, or is too large.
    """
    if isinstance(width, bool) or not isinstance(width, numbers.Real):
        raise ValueError(
            f"`width` must be a positive number such as 0.5, 1.0 or 1.3. "
            f"Received: width={width!r} of type {type(width).__name__}."
        )
    if not 0 < width <= MAX_WIDTH:
        raise ValueError(
            "`width` must be a positive number such as 0.5, 1.0 or 1.3, at most "
            f"{MAX_WIDTH}. Received: width={width}."
        )

    width = float(width)

    def scale(channels):
        return make_divisible(channels * width)

    stages = tuple(
        tuple(
            dataclasses.replace(block, expansion=scale(block.expansion), output=scale(block.output))
            for block in stage
        )
        for stage in GHOSTNET_STAGES
    )
    return GhostNetSpec(
        name=f"ghostnet_{round(width * 100):03d}",
        width=width,
        stem=scale(GHOSTNET_STEM),
        stages=stages,
        final=scale(GHOSTNET_FINAL),
    )


# --------------------------------------------------------------------------- G-GhostNet

REGNET_STEM = 32  # 3x3 convolution of stride 2
CHEAP_RATIO = 0.5  # the fraction of a stage's channels that cheap operations make
RAW_GROUP_RATIO = 0.75  # group width of the raw half over the stage's own


@dataclasses.dataclass(frozen=True)
class GGhostStageSpec:
    """One stage of G-GhostNet: a plain RegNet stage, or a G-Ghost stage.

    Attributes:
        depth: Blocks of the RegNet stage that it replaces.
        width: Output channels.
        group_width: Channels per group of the 3x3 convolutions at full width.
        ghost: Whether it is a G-Ghost stage (paper section 4.2) or plain RegNet blocks.
    """

    depth: int
    width: int
    group_width: int
    ghost: bool

    @property
    def raw_group_width(self) -> int:
        """Channels per group in the raw half."""
        return int(self.group_width * RAW_GROUP_RATIO)

    @property
    def raw_width(self) -> int:
        """Channels of the half that runs through the stage's blocks."""
        groups = int(self.width * (1 - CHEAP_RATIO) / self.raw_group_width)
        return groups * self.raw_group_width

    @property
    def cheap_width(self) -> int:
        """Channels of the half that cheap operations make."""
        return self.width - self.raw_width


@dataclasses.dataclass(frozen=True)
class GGhostSpec:
    """G-GhostNet on one RegNetX.

    Attributes:
        name: The model's name, e.g. `"g_ghost_regnetx_032"`.
        size: RegNetX's size, e.g. `"032"` for 3.2 GF.
        stages: Four `GGhostStageSpec`, each of stride 2.
        stem: Channels of the first convolution.
    """

    name: str
    size: str
    stages: tuple[GGhostStageSpec, ...]
    stem: int = REGNET_STEM
    family: ClassVar[str] = "g_ghost_regnetx"
    image_size: ClassVar[int] = IMAGENET_SIZE


# fmt: off
REGNETX = {
    # size    depths           widths                    group width
    "002": ((1, 1,  4,  7), ( 24,  56,  152,  368),   8),
    "004": ((1, 2,  7, 12), ( 32,  64,  160,  384),  16),
    "006": ((1, 3,  5,  7), ( 48,  96,  240,  528),  24),
    "008": ((1, 3,  7,  5), ( 64, 128,  288,  672),  16),
    "016": ((2, 4, 10,  2), ( 72, 168,  408,  912),  24),
    "032": ((2, 6, 15,  2), ( 96, 192,  432, 1008),  48),
    "040": ((2, 5, 14,  2), ( 80, 240,  560, 1360),  40),
    "064": ((2, 4, 10,  1), (168, 392,  784, 1624),  56),
    "080": ((2, 5, 15,  1), ( 80, 240,  720, 1920), 120),
    "120": ((2, 5, 11,  1), (224, 448,  896, 2240), 112),
    "160": ((2, 6, 13,  1), (256, 512,  896, 2048), 128),
    "320": ((2, 7, 13,  1), (336, 672, 1344, 2520), 168),
}
# fmt: on


def is_ghost_stage(stage: int, depth: int) -> bool:
    """Whether stage 1-4 of a RegNetX of that depth becomes a G-Ghost stage.

    A stage needs a block before and a block after the split, so more than two; stage 1 is
    never one and stage 3, the deepest, always (authors' code).
    """
    return stage == 3 or (stage in (2, 4) and depth > 2)


@functools.cache
def g_ghost_regnetx(size: str) -> GGhostSpec:
    """The specification of G-GhostNet on RegNetX of a size.

    Args:
        size: A key of `REGNETX`: `"002"` ... `"320"`.

    Returns:
        A `GGhostSpec`.

    Raises:
        ValueError: If there is no such size.
    """
    if size not in REGNETX:
        raise ValueError(f"Unknown RegNetX size {size!r}. Known: {', '.join(REGNETX)}.")
    depths, widths, group_width = REGNETX[size]
    return GGhostSpec(
        name=f"g_ghost_regnetx_{size}",
        size=size,
        stages=tuple(
            GGhostStageSpec(depth, width, group_width, ghost=is_ghost_stage(stage, depth))
            for stage, (depth, width) in enumerate(zip(depths, widths, strict=True), start=1)
        ),
    )


# --------------------------------------------------------------------- networks for CIFAR

# fmt: off
VGG16_STAGES = (  # output channels of the 3x3 convolutions; a 2x2 max pooling ends each stage
    ( 64,  64),       # 32 x 32
    (128, 128),       # 16 x 16
    (256, 256, 256),  #  8 x 8
    (512, 512, 512),  #  4 x 4
    (512, 512, 512),  #  2 x 2
)
RESNET56_STAGES = (
    # channels  blocks of two 3x3 convolutions; from the second stage on the first has stride 2
    (16, 9),  # 32 x 32
    (32, 9),  # 16 x 16
    (64, 9),  #  8 x 8
)
# fmt: on
VGG16_HEAD = 512  # units of the dense layer after the pooling
RESNET56_STEM = 16  # 3x3 convolution of stride 1


@dataclasses.dataclass(frozen=True)
class CifarSpec:
    """A network for CIFAR whose 3x3 convolutions are ghost modules.

    Attributes:
        name: The model's name, e.g. `"ghost_vgg16"`; with a ratio of 1 it is the plain network.
        family: `"ghost_vgg"` or `"ghost_resnet"`.
        stages: `VGG16_STAGES` or `RESNET56_STAGES`.
        ratio: Feature maps per intrinsic map, `s` in the paper.
        cheap_kernel_size: Size of the depthwise convolutions that make them, `d` in the paper;
            without any, with a ratio of 1, networks of all sizes compare equal.
    """

    name: str
    family: str
    stages: tuple[tuple[int, ...], ...]
    ratio: int
    cheap_kernel_size: int = dataclasses.field(compare=False)
    image_size: ClassVar[int] = CIFAR_SIZE

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, CifarSpec):
            return NotImplemented
        same_kernels = self.ratio == 1 or self.cheap_kernel_size == other.cheap_kernel_size
        return same_kernels and (self.name, self.ratio) == (other.name, other.ratio)


def ghost_vgg16(ratio: int = 2, cheap_kernel_size: int = 3) -> CifarSpec:
    """The specification of Ghost-VGG-16; the defaults are the paper's."""
    name = "vgg16" if ratio == 1 else "ghost_vgg16"
    return CifarSpec(name, "ghost_vgg", VGG16_STAGES, ratio, cheap_kernel_size)


def ghost_resnet56(ratio: int = 2, cheap_kernel_size: int = 1) -> CifarSpec:
    """The specification of Ghost-ResNet-56; the defaults have the paper's size and cost."""
    name = "resnet56" if ratio == 1 else "ghost_resnet56"
    return CifarSpec(name, "ghost_resnet", RESNET56_STAGES, ratio, cheap_kernel_size)


# ------------------------------------------------------------------- name -> specification

Spec = GhostNetSpec | GGhostSpec | CifarSpec

MODELS: tuple[Spec, ...] = (
    *(ghostnet(width) for width in (0.5, 1.0, 1.3)),
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
        A `GhostNetSpec`, a `GGhostSpec` or a `CifarSpec`.

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
        last = name.rpartition(".")[2]
        words = last.split("_")
        if given in (last, words[-1], "".join(word[:1] for word in words)):
            likeness[name] = 1.0
    near = max(sorted(likeness), key=likeness.__getitem__, default="")
    hint = f" Did you mean {near!r}?" if likeness.get(near, 0) > 0.4 else ""
    return f"{hint} Known: {', '.join(sorted(likeness))}."
