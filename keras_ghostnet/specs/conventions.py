"""What the specifications of all families share."""

from collections.abc import Iterable

# Side of the square images that a family was published for, pixels: `image_size` of its models.
IMAGENET_SIZE, CIFAR_SIZE = 224, 32
MIN_SIZE = 32  # of an image's side, pixels: five strides of 2 leave one pixel
OUTPUT_STRIDES = (8, 16, 32)  # that a network can have
# ImageNet's, by which RGB images in [0, 1] are normalized.
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def stage_dilations(strides: Iterable[int], output_stride: int) -> list[tuple[int, int]]:
    """How far the samples of each stage lie apart once strides are replaced by dilation.

    The "hole algorithm": a convolution of stride 2 becomes one of stride 1, and every kernel
    behind it is dilated by 2, so that it meets the pixels that it met before (*DeepLab*, Chen et
    al., arXiv 1606.00915, section 3.1).

    Args:
        strides: The stride of the stem and of each stage, all positive.
        output_stride: The stride that no maps exceed: one of `OUTPUT_STRIDES`.

    Returns:
        For each of `strides` the distance of neighboring samples, in pixels of its input and of
        its output: `(1, 1)` where nothing changes, `(1, 2)` where a stride of 2 is replaced.
    """
    total, dilation, found = 1, 1, []
    for stride in strides:
        total *= stride
        before, dilation = dilation, max(dilation, total // output_stride)
        found.append((before, dilation))
    return found
