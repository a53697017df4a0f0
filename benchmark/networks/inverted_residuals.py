"""FBNet-B, ProxylessNAS (mobile) and MnasNet-A1: chains of inverted residuals found by search.

FBNet-B: *FBNet: Hardware-Aware Efficient ConvNet Design via Differentiable Neural Architecture
Search*, Wu et al., CVPR 2019 (arXiv 1812.03443), figure 4, with the last convolution of the
authors' released model (facebookresearch/mobile-vision: 4.8 M parameters, 295.6 M multiply-adds).
ProxylessNAS: *ProxylessNAS: Direct Neural Architecture Search on Target Task and Hardware*, Cai
et al., ICLR 2019 (arXiv 1812.00332), figure 4, and the authors' code. MnasNet-A1: *MnasNet:
Platform-Aware Neural Architecture Search for Mobile*, Tan et al., CVPR 2019 (arXiv 1807.11626),
figure 7, and the authors' code.
"""

import dataclasses

import keras

from keras_ghostnet.benchmark.networks import blocks


@dataclasses.dataclass(frozen=True)
class Rows:
    """Inverted residuals of one kind, one after another; the stride is that of the first."""

    expansion: int
    kernel: int
    output: int
    stride: int
    repeats: int = 1
    se_ratio: float = 0


@dataclasses.dataclass(frozen=True)
class InvertedResidualNetwork:
    """Stem (3x3, stride 2), rows of inverted residuals, a last 1x1 convolution, classifier.

    Attributes:
        stem: Channels of the first convolution.
        rows: Tuple of `Rows`.
        last: Channels of the last convolution.
        activation: `"relu"` or `"relu6"`.
        padding: `"symmetric"` (authors' PyTorch) or `"same"` (authors' TensorFlow).
        expands_by_one: Whether a block with an expansion of 1 has the 1x1 convolution for it.
    """

    stem: int
    rows: tuple
    last: int
    activation: str = "relu"
    padding: str = "symmetric"
    expands_by_one: bool = False


# fmt: off
FBNET_B = InvertedResidualNetwork(
    stem=16,
    rows=(
        #  expansion  kernel  output  stride  repeats
        Rows(      1,      3,     16,      1),            # 112 x 112
        Rows(      6,      3,     24,      2),            #  56 x 56
        Rows(      1,      5,     24,      1),
        Rows(      1,      3,     24,      1,        2),
        Rows(      6,      5,     32,      2),            #  28 x 28
        Rows(      3,      5,     32,      1),
        Rows(      6,      3,     32,      1),
        Rows(      6,      5,     32,      1),
        Rows(      6,      5,     64,      2),            #  14 x 14
        Rows(      1,      5,     64,      1),            # and a block that the search skips
        Rows(      3,      5,     64,      1),
        Rows(      6,      5,    112,      1),
        Rows(      1,      3,    112,      1),
        Rows(      1,      5,    112,      1),
        Rows(      3,      5,    112,      1),
        Rows(      6,      5,    184,      2),            #   7 x 7
        Rows(      1,      5,    184,      1),
        Rows(      6,      5,    184,      1,        2),
        Rows(      6,      3,    352,      1),
    ),
    last=1984,
    expands_by_one=True,
)
PROXYLESSNAS_MOBILE = InvertedResidualNetwork(
    stem=32,
    rows=(
        #  expansion  kernel  output  stride  repeats
        Rows(      1,      3,     16,      1),            # 112 x 112
        Rows(      3,      5,     32,      2),            #  56 x 56
        Rows(      3,      3,     32,      1),
        Rows(      3,      7,     40,      2),            #  28 x 28
        Rows(      3,      3,     40,      1),
        Rows(      3,      5,     40,      1,        2),
        Rows(      6,      7,     80,      2),            #  14 x 14
        Rows(      3,      5,     80,      1,        3),
        Rows(      6,      5,     96,      1),
        Rows(      3,      5,     96,      1,        3),
        Rows(      6,      7,    192,      2),            #   7 x 7
        Rows(      6,      7,    192,      1),
        Rows(      3,      7,    192,      1,        2),
        Rows(      6,      7,    320,      1),
    ),
    last=1280,
    activation="relu6",
)
MNASNET_A1 = InvertedResidualNetwork(
    stem=32,
    rows=(
        #  expansion  kernel  output  stride  repeats    SE
        Rows(      1,      3,     16,      1),                  # 112 x 112
        Rows(      6,      3,     24,      2,        2),        #  56 x 56
        Rows(      3,      5,     40,      2,        3,  0.25), #  28 x 28
        Rows(      6,      3,     80,      2,        4),        #  14 x 14
        Rows(      6,      3,    112,      1,        2,  0.25),
        Rows(      6,      5,    160,      2,        3,  0.25), #   7 x 7
        Rows(      6,      3,    320,      1),
    ),
    last=1280,
    padding="same",
)
# fmt: on


def features(images, network):
    """The maps in front of the classifier of one of the networks above.

    Args:
        images: A Keras tensor.
        network: An `InvertedResidualNetwork`.
    """
    shared = dict(activation=network.activation, padding=network.padding)
    x = blocks.conv_bn(images, network.stem, 3, strides=2, **shared, name="stem")
    chain = [
        dataclasses.replace(rows, stride=rows.stride if repeat == 0 else 1, repeats=1)
        for rows in network.rows
        for repeat in range(rows.repeats)
    ]
    for number, block in enumerate(chain, start=1):
        x = inverted_residual(x, block, network, f"block{number}")
    return blocks.conv_bn(x, network.last, 1, **shared, name="last")


def inverted_residual(x, block, network, name):
    """1x1 convolution (expand), depthwise, squeeze-excite, linear 1x1 convolution, shortcut.

    The input is added where shapes agree. The gate's hidden units are a fraction of the block's
    input, not of the expanded channels (MnasNet's code).
    """
    shared = dict(activation=network.activation, padding=network.padding)
    inputs, channels = x, blocks.channels(x)
    if block.expansion > 1 or network.expands_by_one:
        x = blocks.conv_bn(x, channels * block.expansion, 1, **shared, name=f"{name}_expand")
    x = blocks.depthwise_bn(x, block.kernel, block.stride, **shared, name=f"{name}_depthwise")
    if block.se_ratio:
        hidden = int(channels * block.se_ratio)
        x = blocks.squeeze_excite(x, hidden, "sigmoid", name=f"{name}_se")
    x = blocks.conv_bn(x, block.output, 1, activation=None, name=f"{name}_project")
    if block.stride > 1 or channels != block.output:
        return x
    return keras.layers.Add(name=f"{name}_add")([inputs, x])
