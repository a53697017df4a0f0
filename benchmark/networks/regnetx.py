"""RegNetX, which G-GhostNet is made of: the same stages, all of plain blocks.

*Designing Network Design Spaces*, Radosavovic et al., CVPR 2020 (arXiv 2003.13678). Depths,
widths and group widths are those of `keras_ghostnet.specs.REGNETX`.
"""

from keras_ghostnet import builder, specs
from keras_ghostnet.layers import RegNetBlock


def features(images, variant):
    """The maps in front of the classifier.

    Args:
        images: A Keras tensor.
        variant: A key of `specs.REGNETX`: `"002"` ... `"320"`.
    """
    depths, widths, group_width = specs.REGNETX[variant]
    x = builder.conv_bn_relu(images, specs.REGNET_STEM, 3, "stem", strides=2)
    for stage, (depth, width) in enumerate(zip(depths, widths, strict=True), start=1):
        for block in range(1, depth + 1):
            strides = 2 if block == 1 else 1
            x = RegNetBlock(width, group_width, strides, name=f"stage{stage}_block{block}")(x)
    return x
