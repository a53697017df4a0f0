"""G-GhostNet: *GhostNets on Heterogeneous Devices via Cheap Operations*, Han et al., IJCV 2022.

arXiv 2201.03297, section 4, on RegNetX (*Designing Network Design Spaces*, Radosavovic et al.,
CVPR 2020). Where paper and authors' code differ, the code is followed.
"""

import dataclasses
import functools
from typing import ClassVar

from keras_ghostnet.specs.conventions import IMAGENET_SIZE, MIN_SIZE

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
    min_size: ClassVar[int] = MIN_SIZE

    @property
    def strides(self) -> tuple[int, ...]:
        """The stride of the stem and of each stage."""
        return (2,) * (1 + len(self.stages))


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
