"""The settings of augmentation. `transforms` carries them out; this needs no TensorFlow."""

import dataclasses
from typing import Annotated, Literal

from keras_ghostnet.training.settings import (
    Ascending,
    Fraction,
    NotNegative,
    PartialFraction,
    Positive,
    PositiveFraction,
    Within,
    validate_settings,
)

# Interpolations, and the reduction from which areas are averaged instead: by less, no pixel falls
# between their taps. TensorFlow's antialiasing takes four times as long, more than decoding.
INTERPOLATIONS = {"bicubic": 3, "bilinear": 2}
HIGHEST_MAGNITUDE = 10  # of RandAugment
Magnitude = Annotated[float, Within("[0, 10]")]


@dataclasses.dataclass(frozen=True)
class Augmentation:
    """How training images are varied.

    Attributes:
        area: The range of the random crop's area, as a fraction of the image's; None takes no
            crop: the image is resized as a whole, without keeping its aspect ratio.
        ratio: The range of the crop's width divided by its height.
        interpolation: How crops and images are resized: `"bicubic"` or `"bilinear"`.
        pad_crop: Without a crop of `area`: the resized image is padded by so many black pixels
            on each side, and a random crop of its former size is taken; 4 is usual for CIFAR.
        flip: Whether to flip half of the images horizontally; not for digits or letters.
        color_jitter: Brightness, contrast and saturation change by up to this fraction, in
            [0, 1).
        rand_augment: Layers and magnitude (0 to 10) of RandAugment.
        rand_augment_std: Standard deviation of that magnitude, which each operation draws anew;
            timm's `mstd`.
        rand_augment_probability: Of each operation, in [0, 1]; 0.5 in timm, 1 in the paper.
        erasing: The fraction of the images in which a rectangle is erased, in [0, 1].
        mixup: Alpha of mixup; 0 for none.
        cutmix: Alpha of CutMix; 0 for none. With both, each example gets one of them.
        shift_rotate_zoom: The largest shift as a fraction of the sides, rotation as a fraction
            of a full turn, and relative change of scale. (0.08, 0.04, 0.1) suits digits.

    Raises:
        ValueError: If a setting is out of range.
    """

    area: Annotated[tuple[PositiveFraction, PositiveFraction], Ascending()] | None = (0.08, 1.0)
    ratio: Annotated[tuple[Positive, Positive], Ascending()] = (3 / 4, 4 / 3)
    interpolation: Literal["bicubic", "bilinear"] = "bicubic"
    pad_crop: Annotated[int, Within("[0, 8000]")] = 0
    flip: bool = True
    color_jitter: PartialFraction = 0.4
    rand_augment: tuple[Annotated[int, Within("[0, 100]")], Magnitude] = (0, 9)
    rand_augment_std: NotNegative = 0.0
    rand_augment_probability: Fraction = 1.0
    erasing: Fraction = 0.0
    mixup: NotNegative = 0.0
    cutmix: NotNegative = 0.0
    shift_rotate_zoom: tuple[PartialFraction, PartialFraction, PartialFraction] = (0.0, 0.0, 0.0)

    def __post_init__(self):
        validate_settings(self, "augmentation.")
        if self.pad_crop and self.area is not None:
            raise ValueError(
                "`augmentation.pad_crop` needs `augmentation.area` to be none, as both crop. "
                f"Received: pad_crop={self.pad_crop}, area={self.area}."
            )

    @property
    def mixes(self) -> bool:
        """Whether examples are mixed, so that labels are distributions over the classes."""
        return self.mixup > 0 or self.cutmix > 0

    def require_fit_for_maps(self) -> None:
        """Refuses what changes or moves images alone, where every pixel has a class.

        Raises:
            ValueError: If there is any; the message names the setting.
        """
        for name, value, off in (
            ("mixup", self.mixup, "0"),
            ("cutmix", self.cutmix, "0"),
            ("erasing", self.erasing, "0"),
            ("rand_augment", self.rand_augment[0], "0,9"),
        ):
            if value:
                raise ValueError(
                    f"`augmentation.{name}` is for images of one class each: with a class for "
                    f"every pixel, set augmentation.{name}={off}. Received: "
                    f"{name}={getattr(self, name)}."
                )
