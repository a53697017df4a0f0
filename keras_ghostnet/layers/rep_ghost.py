"""RepGhost's layers: the ghost module without concatenation, and its bottleneck.

*RepGhost: A Hardware-Efficient Ghost Module via Re-parameterization* (arXiv 2211.06088).
"""

from typing import Any

import keras

from keras_ghostnet.layers.block import Block, build_chain, run_chain
from keras_ghostnet.layers.bottleneck import Bottleneck
from keras_ghostnet.layers.convolution import PACKAGE
from keras_ghostnet.layers.reparameterized import RepConv2D
from keras_ghostnet.layers.types import Activation, Shape, Tensor


@keras.saving.register_keras_serializable(package=PACKAGE)
class RepGhostModule(Block):
    """A 1x1 convolution, then a cheap operation to whose output its input is added.

    Both have batch norm, what is added has one of its own; the first and the sum are activated.
    At inference the cheap operation and what is added are one depthwise convolution (paper
    section 3.3, figure 2).

    Args:
        filters: Output channels.
        cheap_kernel_size: Size of the depthwise convolution; odd.
        input_dilation: Its dilation, as `RegNetBlock`.
        activation: Any Keras activation, after the first batch norm and after the sum; None for a
            linear module, as the second one of a bottleneck.
        data_format: `"channels_last"` or `"channels_first"`; None takes Keras' setting.
        **kwargs: Arguments of `keras.layers.Layer`.

    Input shape: `(batch, height, width, channels)` for channels last.
    Output shape: `(batch, height, width, filters)` for channels last.

    Raises:
        ValueError: If an argument is out of range, or the kernel is even.
    """

    ARGUMENTS = ("filters", "cheap_kernel_size", "input_dilation")

    def __init__(
        self,
        filters: int,
        cheap_kernel_size: int = 3,
        input_dilation: int = 1,
        activation: Activation = "relu",
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(activation, data_format, **kwargs)
        self.check_positive(
            filters=filters, cheap_kernel_size=cheap_kernel_size, input_dilation=input_dilation
        )
        self.check_padding("symmetric", ("symmetric",), cheap_kernel_size=cheap_kernel_size)
        self.filters = filters
        self.cheap_kernel_size = cheap_kernel_size
        self.input_dilation = input_dilation
        self.primary = self.conv_bn(filters, 1, "primary_{}")
        self.cheap = RepConv2D(
            None,
            cheap_kernel_size,
            skip=True,
            dilation_rate=input_dilation,
            name="cheap_conv",
            **self.part,
        )

    def build(self, input_shape: Shape) -> None:
        super().build(input_shape)
        build_chain([*self.primary, self.cheap], input_shape)

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        return self.activation(self.cheap(self.activation(run_chain(self.primary, inputs))))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return self.with_channels(input_shape, self.filters)


@keras.saving.register_keras_serializable(package=PACKAGE)
class RepGhostBottleneck(Bottleneck):
    """RepGhost module (expand), depthwise convolution at stride 2, SE, module (project).

    The input is added to the result as in `GhostBottleneck`.

    Args:
        expansion: Channels between the two modules.
        filters: Output channels.
        kernel_size: Size of the depthwise convolutions between them and of the shortcut; odd
            under symmetric padding.
        strides: An integer; above 1 the depthwise convolution between the modules is there.
        se_ratio: Ratio of `SqueezeExcite` between the modules; 0 leaves it out.
        cheap_kernel_size: `cheap_kernel_size` of both modules.
        padding: `"symmetric"` or `"same"`, of the depthwise convolutions.
        dilation_rate, input_dilation, dilate: As in `GhostBottleneck`.
        activation: Any Keras activation, of the first module and of SE's hidden units.
        data_format: `"channels_last"` or `"channels_first"`; None takes Keras' setting.
        drop_path: As in `GhostBottleneck`.
        **kwargs: Arguments of `keras.layers.Layer`.

    Input shape: `(batch, height, width, channels)` for channels last.
    Output shape: `(batch, new_height, new_width, filters)` for channels last.

    Raises:
        ValueError: If an argument is out of range, or `strides` and `dilation_rate` are both
            above 1.
    """

    ARGUMENTS = (*Bottleneck.ARGUMENTS, "cheap_kernel_size")

    def __init__(
        self,
        expansion: int,
        filters: int,
        kernel_size: int = 3,
        strides: int = 1,
        se_ratio: float = 0.0,
        cheap_kernel_size: int = 3,
        padding: str = "symmetric",
        dilation_rate: int = 1,
        input_dilation: int = 1,
        dilate: bool = False,
        activation: Activation = "relu",
        data_format: str | None = None,
        drop_path: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            expansion,
            filters,
            kernel_size,
            strides,
            se_ratio,
            padding,
            dilation_rate,
            input_dilation,
            dilate,
            activation,
            data_format,
            drop_path,
            **kwargs,
        )
        self.cheap_kernel_size = cheap_kernel_size
        module = dict(cheap_kernel_size=cheap_kernel_size, **self.part)
        self.assemble(
            RepGhostModule(
                expansion,
                input_dilation=input_dilation,
                activation=self.activation,
                name="ghost1",
                **module,
            ),
            self.conv_bn(None, kernel_size, "depthwise_{}", **self.resampling),
            RepGhostModule(
                filters, input_dilation=self.spread, activation=None, name="ghost2", **module
            ),
        )
