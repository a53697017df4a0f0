"""What training sees of an image: the settings, and the operations in their order."""

import dataclasses

import tensorflow as tf

from keras_ghostnet.training.data import images, mixing, rand_augment


@dataclasses.dataclass(frozen=True)
class Augmentation:
    """How training images are varied.

    Attributes:
        area: The range of the random crop's area, as a part of the image's; None takes no
            crop: the image is resized as a whole, without keeping its aspect ratio.
        ratio: The range of the crop's width divided by its height.
        interpolation: By which crops and images are resized: `"bicubic"` or `"bilinear"`.
        pad_crop: Without a crop of `area`: black pixels that are put around the resized image,
            of which a part of its size is then taken at random; 4 is usual for CIFAR.
        flip: Whether to mirror every second image; not for digits or letters.
        color_jitter: Brightness, contrast and saturation change by up to this part, in [0, 1).
        rand_augment: Layers and magnitude (0 to 10) of RandAugment.
        erasing: The part of the images in which a rectangle is erased, in [0, 1].
        mixup: Alpha of mixup; 0 for none.
        cutmix: Alpha of CutMix; 0 for none. With both, each example gets one of them.
        shift_rotate_zoom: The largest shift as a part of the sides, angle as a part of a full
            turn, and change of scale as a part. (0.08, 0.04, 0.1) suits digits.

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
            "interpolation": self.interpolation in images.INTERPOLATIONS,
            "ratio": 0 < self.ratio[0] <= self.ratio[1],
            "pad_crop": self.pad_crop == 0 or (self.pad_crop > 0 and self.area is None),
            "color_jitter": 0 <= self.color_jitter < 1,
            "rand_augment": self.rand_augment[0] >= 0
            and 0 <= self.rand_augment[1] <= rand_augment.HIGHEST,
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
    def mixes(self):
        """Whether examples are mixed, so that labels are shares of all classes."""
        return self.mixup > 0 or self.cutmix > 0


def take(picture, seed, size, settings):
    """The part of an image that training sees, resized, and mirrored or not.

    Args:
        picture: A decoded image, uint8 `(height, width, 3)`, or the bytes of a JPEG that
            `decoding.is_plain`, a scalar string tensor.
        seed: An integer tensor `(2,)`; the result depends on nothing else.
        size: `(height, width)` of the result.
        settings: An `Augmentation`.

    Returns:
        Float32 `(*size, 3)` in [0, 255].
    """
    window, flip = _apart(seed, 2)
    if settings.area is None:
        image = images.decoded(picture)
    elif picture.dtype == tf.string:
        image = images.decode_random_crop(picture, window, settings.area, settings.ratio)
    else:
        image = images.random_crop(picture, window, settings.area, settings.ratio)
    mirrored = tf.random.stateless_uniform([], flip) < 0.5 if settings.flip else None
    image = images.resize(image, size, settings.interpolation, mirrored)
    return images.pad_crop(image, window, settings.pad_crop) if settings.pad_crop else image


def vary(image, seed, settings):
    """Applies what comes after `take`, and normalises.

    Args:
        image: Of `take`.
        seed: See there; may be the same.
        settings: An `Augmentation`.

    Returns:
        Float32 of the same shape.
    """
    jitter, layers, move, erase = _apart(seed, 4)
    if any(settings.shift_rotate_zoom):
        image = images.shift_rotate_zoom(image, move, settings.shift_rotate_zoom)
    if settings.rand_augment[0]:
        image = rand_augment.rand_augment(image, layers, *settings.rand_augment)
    if settings.color_jitter:
        image = images.color_jitter(image, jitter, settings.color_jitter)
    image = images.normalize(image)
    if settings.erasing:
        image = images.erase(image, erase, settings.erasing)
    return image


def _apart(seed, count):
    """A seed for each of several operations, whether those before it are used or not.

    Neighbouring seeds give numbers as independent as any, and cost less than splitting one.
    """
    seed = tf.convert_to_tensor(seed, tf.int64)
    return [seed + (purpose, 0) for purpose in range(count)]


def mask(seed, size, settings):
    """The mask that mixes an example with its neighbour; see `mixing`."""
    return mixing.mixing_mask(seed, size, settings.mixup, settings.cutmix)
