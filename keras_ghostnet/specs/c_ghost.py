"""C-GhostNet and its successors: tables of one row per bottleneck, and what a width makes of them.

GhostNet: *GhostNet: More Features from Cheap Operations*, Han et al., CVPR 2020 (arXiv
1911.11907), Table 1. GhostNetV2: *GhostNetV2: Enhance Cheap Operation with Long-Range
Attention*, Tang et al., NeurIPS 2022 (arXiv 2211.12905). GhostNetV3: *GhostNetV3: Exploring the
Training Strategies for Compact Models*, Liu et al., 2024 (arXiv 2404.11202). RepGhostNet:
*RepGhost: A Hardware-Efficient Ghost Module via Re-parameterization*, Chen et al., 2022 (arXiv
2211.06088). Where paper and authors' code differ, the code is followed.
"""

import dataclasses
import numbers
from typing import Any, ClassVar, TypeVar

from keras_ghostnet.specs.conventions import IMAGENET_SIZE, MIN_SIZE


@dataclasses.dataclass(frozen=True)
class GhostBlock:
    """One ghost bottleneck: a row of Table 1 of the C-GhostNet paper."""

    kernel: int
    expansion: int
    output: int
    se_ratio: float
    stride: int
    attention: bool = False  # DFC attention in the first ghost module, from GhostNetV2 on


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
# GhostNet's rows; all blocks but the first two have attention (GhostNetV2, authors' code).
GHOSTNETV2_STAGES = (
    GHOSTNET_STAGES[0],
    (GHOSTNET_STAGES[1][0], dataclasses.replace(GHOSTNET_STAGES[1][1], attention=True)),
    *(tuple(dataclasses.replace(block, attention=True) for block in stage)
      for stage in GHOSTNET_STAGES[2:]),
)
# Half of GhostNet's expansion, for a module's outputs are summed instead of concatenated.
REPGHOSTNET_STAGES = (
    #          kernel  expansion  output    SE  stride
    (GhostBlock(    3,         8,     16,    0,      1),),  # 112 x 112
    (GhostBlock(    3,        24,     24,    0,      2),    #  56 x 56
     GhostBlock(    3,        36,     24,    0,      1),),
    (GhostBlock(    5,        36,     40, 0.25,      2),    #  28 x 28
     GhostBlock(    5,        60,     40, 0.25,      1),),
    (GhostBlock(    3,       120,     80,    0,      2),    #  14 x 14
     GhostBlock(    3,       100,     80,    0,      1),
     GhostBlock(    3,       120,     80,    0,      1),
     GhostBlock(    3,       120,     80,    0,      1),
     GhostBlock(    3,       240,    112, 0.25,      1),
     GhostBlock(    3,       336,    112, 0.25,      1),),
    (GhostBlock(    5,       336,    160, 0.25,      2),    #   7 x 7
     GhostBlock(    5,       480,    160,    0,      1),
     GhostBlock(    5,       480,    160, 0.25,      1),
     GhostBlock(    5,       480,    160,    0,      1),
     GhostBlock(    5,       480,    160, 0.25,      1),),
)
# The widths that were published, whose models have names.
GHOSTNET_WIDTHS = (0.5, 1.0, 1.3)
GHOSTNETV2_WIDTHS = (1.0, 1.3, 1.6)
GHOSTNETV3_WIDTHS = (0.5, 1.0, 1.3, 1.6)
REPGHOSTNET_WIDTHS = (0.5, 0.58, 0.8, 1.0, 1.11, 1.3, 1.5, 2.0)
# fmt: on
GHOSTNET_STEM = 16  # 3x3 convolution of stride 2
GHOSTNET_FINAL = 960  # 1x1 convolution after the last stage
GHOSTNET_HEAD = 1280  # 1x1 convolution after the pooling; does not scale with the width
GHOSTNETV3_BRANCHES = 3  # parallel convolutions in training
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
    min_size: ClassVar[int] = MIN_SIZE

    @property
    def strides(self) -> tuple[int, ...]:
        """The stride of the stem and of each stage, which its first block has."""
        return (2, *(blocks[0].stride for blocks in self.stages))


class GhostNetV2Spec(GhostNetSpec):
    """GhostNetV2 of one width, as `GhostNetSpec`."""

    family: ClassVar[str] = "ghostnetv2"
    # The attention averages 2x2 pixels of maps that 32 pixels would leave one pixel of.
    min_size: ClassVar[int] = MIN_SIZE + 1


@dataclasses.dataclass(frozen=True)
class GhostNetV3Spec(GhostNetSpec):
    """GhostNetV3 of one width, as `GhostNetSpec`.

    Attributes:
        deployed: Whether branches and batch norms are folded; the same network nevertheless.
    """

    deployed: bool = dataclasses.field(default=False, compare=False)
    family: ClassVar[str] = "ghostnetv3"
    min_size: ClassVar[int] = GhostNetV2Spec.min_size

    @property
    def branches(self) -> int:
        """Parallel convolutions of the ghost modules; 0 once they are folded."""
        return 0 if self.deployed else GHOSTNETV3_BRANCHES


class RepGhostNetSpec(GhostNetSpec):
    """RepGhostNet of one width, as `GhostNetSpec`."""

    family: ClassVar[str] = "repghostnet"


Kind = TypeVar("Kind", bound=GhostNetSpec)


def ghostnet(width: float) -> GhostNetSpec:
    """The specification of C-GhostNet at any width.

    Args:
        width: A positive number, at most 50: 0.5, 1.0 and 1.3 are the paper's.

    Returns:
        A `GhostNetSpec`.

    Raises:
        ValueError: If `width` is not a positive number, or is too large.
    """
    return _scaled(GhostNetSpec, GHOSTNET_STAGES, width)


def ghostnetv2(width: float) -> GhostNetV2Spec:
    """The specification of GhostNetV2 at any width, as `ghostnet`."""
    return _scaled(GhostNetV2Spec, GHOSTNETV2_STAGES, width)


def ghostnetv3(width: float, deployed: bool = False) -> GhostNetV3Spec:
    """The specification of GhostNetV3 at any width, as `ghostnet`, in either form."""
    if deployed not in (True, False):  # texts, which count as True
        raise ValueError(f"`deployed` must be True or False. Received: deployed={deployed!r}.")
    return _scaled(GhostNetV3Spec, GHOSTNETV2_STAGES, width, deployed=bool(deployed))


def repghostnet(width: float) -> RepGhostNetSpec:
    """The specification of RepGhostNet at any width, as `ghostnet`."""
    return _scaled(RepGhostNetSpec, REPGHOSTNET_STAGES, width)


def _scaled(
    kind: type[Kind], stages: tuple[tuple[GhostBlock, ...], ...], width: float, **others: Any
) -> Kind:
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

    return kind(
        name=f"{kind.family}_{round(width * 100):03d}",
        width=width,
        stem=scale(GHOSTNET_STEM),
        stages=tuple(
            tuple(
                dataclasses.replace(
                    block, expansion=scale(block.expansion), output=scale(block.output)
                )
                for block in stage
            )
            for stage in stages
        ),
        final=scale(GHOSTNET_FINAL),
        **others,
    )
