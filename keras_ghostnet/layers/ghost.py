"""C-GhostNet's layers: ghost module, squeeze-and-excitation, ghost bottleneck.

*GhostNet: More Features from Cheap Operations* (arXiv 1911.11907), sections 3.1 and 3.2.
"""

import math
import numbers
from typing import Any

import keras

from keras_ghostnet.layers.block import Block, build_chain, chain_output_shape, run_chain
from keras_ghostnet.layers.convolution import PACKAGE
from keras_ghostnet.layers.types import Activation, Shape, Tensor
from keras_ghostnet.specs import make_divisible

MAX_RATIO = 64  # of hidden units to channels


@keras.saving.register_keras_serializable(package=PACKAGE)
class GhostModule(Block):
    """Makes `filters` feature maps, most of them by cheap operations.

    A convolution makes `ceil(filters / ratio)` intrinsic maps (batch norm, activation); a
    depthwise convolution makes `ratio - 1` ghosts of each (batch norm, activation); both are
    concatenated, intrinsic maps first, and cut to `filters`. It stands in for a convolution
    of the same arguments at about `1 / ratio` of its cost (paper section 3.1, figure 2b).

    Args:
        filters: Output channels.
        kernel_size: Size of the primary convolution, an integer; 1 in GhostNet.
        ratio: Feature maps per intrinsic map, `s` in the paper; 1 leaves the cheap
            operations out.
        cheap_kernel_size: Size of the depthwise convolution, `d` in the paper; odd.
        strides: Stride of the primary convolution, an integer.
        padding: Padding of the primary convolution: `"symmetric"` (torch's `k // 2`, as the
            public checkpoints expect), `"same"` (Keras') or `"valid"`. The cheap operations
            keep the size always.
        dilation_rate: Dilation of the primary convolution, an integer.
        activation: Any Keras activation, after both batch norms; None for a linear module,
            as the second one of a bottleneck.
        data_format: `"channels_last"` or `"channels_first"`; None takes Keras' setting.
        **kwargs: Arguments of `keras.layers.Layer`, such as `name` and `dtype`.

    Input shape: `(batch, height, width, channels)` for channels last.
    Output shape: `(batch, new_height, new_width, filters)` for channels last.

    Raises:
        ValueError: If an argument is out of range, or an even kernel meets symmetric padding.

    Example:

    >>> x = keras.random.normal((1, 56, 56, 64))
    >>> keras_ghostnet.layers.GhostModule(128, kernel_size=3, strides=2)(x).shape
    (1, 28, 28, 128)
    """

    ARGUMENTS = (
        "filters",
        "kernel_size",
        "ratio",
        "cheap_kernel_size",
        "strides",
        "padding",
        "dilation_rate",
    )

    def __init__(
        self,
        filters: int,
        kernel_size: int = 1,
        ratio: int = 2,
        cheap_kernel_size: int = 3,
        strides: int = 1,
        padding: str = "symmetric",
        dilation_rate: int = 1,
        activation: Activation = "relu",
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(activation, data_format, **kwargs)
        self.check_positive(
            filters=filters,
            kernel_size=kernel_size,
            ratio=ratio,
            cheap_kernel_size=cheap_kernel_size,
            strides=strides,
            dilation_rate=dilation_rate,
        )
        self.check_padding(padding, ("symmetric", "same", "valid"), kernel_size=kernel_size)
        self.check_padding("symmetric", ("symmetric",), cheap_kernel_size=cheap_kernel_size)
        self.check_resampling(strides, dilation_rate)
        self.filters = filters
        self.kernel_size = kernel_size
        self.ratio = ratio
        self.cheap_kernel_size = cheap_kernel_size
        self.strides = strides
        self.padding = padding
        self.dilation_rate = dilation_rate
        self.intrinsic = math.ceil(filters / ratio)
        self.primary = self.conv_bn(
            self.intrinsic,
            kernel_size,
            "primary_{}",
            strides=strides,
            padding=padding,
            dilation_rate=dilation_rate,
        )
        self.cheap = []
        if ratio > 1:
            self.cheap = self.conv_bn(
                None, cheap_kernel_size, "cheap_{}", depth_multiplier=ratio - 1
            )

    def build(self, input_shape: Shape) -> None:
        super().build(input_shape)
        build_chain(self.cheap, build_chain(self.primary, input_shape))

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        maps = self.activation(run_chain(self.primary, inputs))
        if self.cheap:
            ghosts = self.activation(run_chain(self.cheap, maps))
            maps = keras.ops.concatenate([maps, ghosts], axis=self.axis)
        if self.intrinsic * self.ratio == self.filters:
            return maps
        if self.data_format == "channels_last":
            return maps[..., : self.filters]
        return maps[:, : self.filters]

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return self.with_channels(chain_output_shape(self.primary, input_shape), self.filters)


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
class GhostBottleneck(Block):
    """Ghost module (expand), depthwise convolution at stride 2, SE, ghost module (project).

    The input is added to the result: as it is if shapes agree, else through a depthwise
    convolution of the block's kernel, stride and dilation and a 1x1 convolution, both with
    batch norm and linear (paper section 3.2, figure 3).

    Args:
        expansion: Channels between the two ghost modules.
        filters: Output channels.
        kernel_size: Size of the depthwise convolutions; odd under symmetric padding.
        strides: An integer; above 1 the depthwise convolution between the modules is there.
        se_ratio: Ratio of `SqueezeExcite` between the modules; 0 leaves it out.
        ratio: `ratio` of both ghost modules.
        cheap_kernel_size: `cheap_kernel_size` of both ghost modules.
        padding: `"symmetric"` or `"same"`, of the depthwise convolutions.
        dilation_rate: Dilation of the depthwise convolutions, for networks that keep their
            resolution: above 1 they are there at stride 1 too. Not together with `strides`.
        activation: Any Keras activation, of the first ghost module and of SE's hidden units.
        data_format: `"channels_last"` or `"channels_first"`; None takes Keras' setting.
        **kwargs: Arguments of `keras.layers.Layer`.

    Input shape: `(batch, height, width, channels)` for channels last.
    Output shape: `(batch, new_height, new_width, filters)` for channels last.

    Raises:
        ValueError: If an argument is out of range, or `strides` and `dilation_rate` are both
            above 1.
    """

    ARGUMENTS = (
        "expansion",
        "filters",
        "kernel_size",
        "strides",
        "se_ratio",
        "ratio",
        "cheap_kernel_size",
        "padding",
        "dilation_rate",
    )

    def __init__(
        self,
        expansion: int,
        filters: int,
        kernel_size: int = 3,
        strides: int = 1,
        se_ratio: float = 0.0,
        ratio: int = 2,
        cheap_kernel_size: int = 3,
        padding: str = "symmetric",
        dilation_rate: int = 1,
        activation: Activation = "relu",
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(activation, data_format, **kwargs)
        self.check_positive(
            expansion=expansion,
            filters=filters,
            kernel_size=kernel_size,
            strides=strides,
            dilation_rate=dilation_rate,
        )
        # "valid" would leave the shortcut larger than what it is added to.
        self.check_padding(padding, ("symmetric", "same"), kernel_size=kernel_size)
        self.check_resampling(strides, dilation_rate)
        if not isinstance(se_ratio, float | numbers.Real) or se_ratio < 0:
            raise ValueError(
                "GhostBottleneck: `se_ratio` must be a number, 0 or more. "
                f"Received: se_ratio={se_ratio!r}."
            )
        self.expansion = expansion
        self.filters = filters
        self.kernel_size = kernel_size
        self.strides = strides
        self.se_ratio = se_ratio
        self.ratio = ratio
        self.cheap_kernel_size = cheap_kernel_size
        self.padding = padding
        self.dilation_rate = dilation_rate
        self.resamples = strides > 1 or dilation_rate > 1

        ghost = dict(ratio=ratio, cheap_kernel_size=cheap_kernel_size, **self.part)
        self.residual = [
            GhostModule(expansion, activation=self.activation, name="ghost1", **ghost),
            *(self._depthwise("depthwise_{}") if self.resamples else []),
        ]
        if se_ratio:
            self.residual.append(
                SqueezeExcite(se_ratio, activation=self.activation, name="se", **self.part)
            )
        self.residual.append(GhostModule(filters, activation=None, name="ghost2", **ghost))
        self.shortcut: list[keras.Layer] = []

    def _depthwise(self, name):
        return self.conv_bn(
            None,
            self.kernel_size,
            name,
            strides=self.strides,
            padding=self.padding,
            dilation_rate=self.dilation_rate,
        )

    def build(self, input_shape: Shape) -> None:
        super().build(input_shape)
        build_chain(self.residual, input_shape)
        if self.resamples or input_shape[self.axis] != self.filters:
            self.shortcut = [
                *self._depthwise("shortcut_depthwise_{}"),
                *self.conv_bn(self.filters, 1, "shortcut_{}"),
            ]
            build_chain(self.shortcut, input_shape)

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        return keras.ops.add(run_chain(self.residual, inputs), run_chain(self.shortcut, inputs))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return chain_output_shape(self.residual, input_shape)
