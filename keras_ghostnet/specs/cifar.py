"""VGG-16 and ResNet-56 for CIFAR, made of ghost modules: section 4.1 of the C-GhostNet paper.

*GhostNet: More Features from Cheap Operations*, Han et al., CVPR 2020 (arXiv 1911.11907).
"""

import dataclasses
from typing import ClassVar

from keras_ghostnet.specs.conventions import CIFAR_SIZE, MIN_SIZE

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
    min_size: ClassVar[int] = MIN_SIZE

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
