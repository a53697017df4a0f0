"""The settings of augmentation. `transforms` carries them out; this needs no TensorFlow."""

import dataclasses

# Interpolations, and the reduction from which areas are averaged instead: by less, no pixel falls
# between their taps. TensorFlow's antialiasing takes four times as long, more than decoding.
INTERPOLATIONS = {"bicubic": 3, "bilinear": 2}
HIGHEST_MAGNITUDE = 10  # of RandAugment


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
        erasing: The fraction of the images in which a rectangle is erased, in [0, 1].
        mixup: Alpha of mixup; 0 for none.
        cutmix: Alpha of CutMix; 0 for none. With both, each example gets one of them.
        shift_rotate_zoom: The largest shift as a fraction of the sides, rotation as a fraction
            of a full turn, and relative change of scale. (0.08, 0.04, 0.1) suits digits.

    Raises:
        ValueError: If a setting is out of range.
    """

    area: tuple | None = (0.08, 1.0)
    ratio: tuple = (3 / 4, 4 / 3)
    interpolation: str = "bicubic"
    pad_crop: int = 0
    flip: bool = True
    color_jitter: float = 0.4
    rand_augment: tuple = (0, 9)
    erasing: float = 0.0
    mixup: float = 0.0
    cutmix: float = 0.0
    shift_rotate_zoom: tuple = (0.0, 0.0, 0.0)

    def __post_init__(self):
        ranges = {
            "area": self.area is None or 0 < self.area[0] <= self.area[1] <= 1,
            "interpolation": self.interpolation in INTERPOLATIONS,
            "ratio": 0 < self.ratio[0] <= self.ratio[1],
            "pad_crop": self.pad_crop == 0 or (self.pad_crop > 0 and self.area is None),
            "color_jitter": 0 <= self.color_jitter < 1,
            "rand_augment": self.rand_augment[0] >= 0
            and 0 <= self.rand_augment[1] <= HIGHEST_MAGNITUDE,
            "erasing": 0 <= self.erasing <= 1,
            "mixup": self.mixup >= 0,
            "cutmix": self.cutmix >= 0,
            "shift_rotate_zoom": len(self.shift_rotate_zoom) == 3
            and all(0 <= amount < 1 for amount in self.shift_rotate_zoom),
        }
        for name, fits in ranges.items():
            if not fits:
                raise ValueError(
                    f"`{name}` of the augmentation is out of range; see its description. "
                    f"Received: {name}={getattr(self, name)!r}."
                )

    @property
    def mixes(self) -> bool:
        """Whether examples are mixed, so that labels are distributions over the classes."""
        return self.mixup > 0 or self.cutmix > 0
