"""Gates that scale feature maps: squeeze-and-excitation, decoupled fully connected attention."""

import numbers
from typing import Any

import keras

from keras_ghostnet.layers.block import Block, build_chain, run_chain
from keras_ghostnet.layers.convolution import PACKAGE
from keras_ghostnet.layers.types import Activation, Shape, Tensor
from keras_ghostnet.specs import make_divisible

MAX_RATIO = 64  # of hidden units to channels
DFC_KERNEL = 5  # length of the two depthwise convolutions, pixels (GhostNetV2, authors' code)


@keras.saving.register_keras_serializable(package=PACKAGE)
class SqueezeExcite(Block):
    """Scales every channel by a gate that is computed from the means of all channels.

    Global average pooling, 1x1 convolution to `channels * ratio` units rounded to a multiple
    of `divisor`, activation, 1x1 convolution back, gate, multiplication. GhostNet's gate is
    the hard sigmoid `relu6(x + 3) / 6` (paper section 4.1, after MobileNetV3).

    Args:
        ratio: Hidden units over input channels.
        divisor: The hidden units are rounded to a multiple of this.
        activation: Any Keras activation, after the first convolution.
        gate_activation: Any Keras activation with values in [0, 1].
        data_format: `"channels_last"` or `"channels_first"`; None takes Keras' setting.
        **kwargs: Arguments of `keras.layers.Layer`.

    Input shape: `(batch, height, width, channels)` for channels last.
    Output shape: the same.

    Raises:
        ValueError: If `ratio` or `divisor` is not positive.
    """

    ARGUMENTS = ("ratio", "divisor")

    def __init__(
        self,
        ratio: float = 0.25,
        divisor: int = 4,
        activation: Activation = "relu",
        gate_activation: Activation = "hard_sigmoid",
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(activation, data_format, **kwargs)
        self.check_positive(divisor=divisor)
        if not isinstance(ratio, float | numbers.Real) or not 0 < ratio <= MAX_RATIO:
            raise ValueError(
                f"SqueezeExcite: `ratio` must be positive, at most {MAX_RATIO}. "
                f"Received: ratio={ratio!r}."
            )
        self.ratio = ratio
        self.divisor = divisor
        self.gate_activation = keras.activations.get(gate_activation)

    def build(self, input_shape: Shape) -> None:
        super().build(input_shape)
        channels = self.channels(input_shape)
        units = make_divisible(channels * self.ratio, self.divisor)
        dense = dict(kernel_size=1, kernel_initializer="he_normal", **self.part)
        self.pool = keras.layers.GlobalAveragePooling2D(keepdims=True, name="pool", **self.part)
        self.reduce = keras.layers.Conv2D(units, name="reduce", **dense)
        self.expand = keras.layers.Conv2D(channels, name="expand", **dense)
        build_chain([self.pool, self.reduce, self.expand], input_shape)

    def call(self, inputs: Tensor) -> Tensor:
        hidden = self.activation(self.reduce(self.pool(inputs)))
        return keras.ops.multiply(inputs, self.gate_activation(self.expand(hidden)))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        gate = keras.activations.serialize(self.gate_activation)
        return {**super().get_config(), "gate_activation": gate}


@keras.saving.register_keras_serializable(package=PACKAGE)
class DFCAttention(Block):
    """Computes a gate for every pixel and channel from the rows and columns around it.

    Average pooling of 2x2 pixels, 1x1 convolution, depthwise 1x5 and 5x1 convolution, each with
    batch norm, sigmoid, and upsampling to the size of the input by the nearest pixel (GhostNetV2,
    arXiv 2211.12905, section 3.2: the decoupled fully connected layer in its deployed form).
    Where a size is odd, pixel `i` takes the pooled pixel `floor(i * pooled / size)`, as torch's
    nearest interpolation does.

    Args:
        filters: Output channels.
        folded: Whether batch norms are folded into the convolutions, which have biases then.
        input_dilation: Where strides in front of this layer are replaced by dilation: the distance
            in pixels between the inputs that are neighbors in the strided network. The gate is
            computed of these, and the pixels between them take that of the one before.
        data_format: `"channels_last"` or `"channels_first"`; None takes Keras' setting.
        **kwargs: Arguments of `keras.layers.Layer`.

    Input shape: `(batch, height, width, channels)` for channels last, of more than `input_dilation`
        pixels a side.
    Output shape: `(batch, height, width, filters)`, values in [0, 1].

    Raises:
        ValueError: If an argument is no positive integer, or the input's height and width are
            unknown or too small.
    """

    ARGUMENTS = ("filters", "folded", "input_dilation")

    def __init__(
        self,
        filters: int,
        folded: bool = False,
        input_dilation: int = 1,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(data_format=data_format, **kwargs)
        self.check_positive(filters=filters, input_dilation=input_dilation)
        self.filters = filters
        self.folded = folded
        self.input_dilation = input_dilation
        self.subsample: list[keras.Layer] = []
        self.spread: list[keras.Layer] = []
        if input_dilation > 1:  # a pooling of one pixel
            self.subsample = [
                keras.layers.AveragePooling2D(1, input_dilation, name="subsample", **self.part)
            ]
            self.spread = [keras.layers.UpSampling2D(input_dilation, name="spread", **self.part)]
        self.gate = [
            keras.layers.AveragePooling2D(2, name="pool", **self.part),
            *self.conv_bn(filters, 1, "{}"),
            *self.conv_bn(None, (1, DFC_KERNEL), "horizontal_{}"),
            *self.conv_bn(None, (DFC_KERNEL, 1), "vertical_{}"),
        ]
        self.upsample = keras.layers.UpSampling2D(2, name="upsample", **self.part)

    def build(self, input_shape: Shape) -> None:
        super().build(input_shape)
        least = self.input_dilation + 1
        if any(size is not None and size < least for size in self.sizes(input_shape)):
            raise ValueError(
                "DFCAttention: averages 2x2 pixels, so that height and width must be at least "
                f"{least}. Received: input_shape={tuple(input_shape)}. Take larger images."
            )
        build_chain([*self.subsample, *self.gate], input_shape)

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        gate = run_chain([*self.subsample, *self.gate], inputs)
        gate = self.upsample(keras.ops.sigmoid(gate))
        sizes: Any = self.sizes(keras.ops.shape(inputs))
        if None in sizes:
            raise ValueError("DFCAttention: height and width must be known. Give the `input_shape`")
        for axis, size in zip(self.spatial_axes, sizes, strict=True):
            gate = _lengthen(gate, axis, -(-size // self.input_dilation))
        if not self.spread:
            return gate
        height, width = sizes
        gate = run_chain(self.spread, gate)
        if self.data_format == "channels_last":
            return gate[:, :height, :width]
        return gate[:, :, :height, :width]

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return self.with_channels(input_shape, self.filters)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        del config["activation"]
        return config


def _lengthen(maps, axis, size):
    """Repeats the first row or column of maps if the size that they are to have is odd.

    Twice as many as pooled pixels are there. If they are one too few, `floor(i * pooled / size)`
    takes the first pooled pixel three times, and every other one twice.
    """
    if isinstance(size, int) and size % 2 == 0:
        return maps
    key = [slice(None)] * 4
    key[axis] = slice(0, 1)
    maps = keras.ops.concatenate([maps[tuple(key)], maps], axis=axis)
    if isinstance(size, int):
        return maps
    key[axis] = slice(1 - size % 2, None)  # of a size that is not known before the network runs
    return maps[tuple(key)]
