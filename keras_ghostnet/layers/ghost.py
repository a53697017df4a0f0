"""The layers of C-GhostNet and its successors: ghost module and ghost bottleneck.

*GhostNet: More Features from Cheap Operations* (arXiv 1911.11907), sections 3.1 and 3.2; with
attention GhostNetV2's (arXiv 2211.12905), with branches GhostNetV3's (arXiv 2404.11202).
"""

import math
from typing import Any

import keras

from keras_ghostnet.layers.attention import DFCAttention
from keras_ghostnet.layers.block import Block, build_chain, chain_output_shape, run_chain
from keras_ghostnet.layers.bottleneck import Bottleneck
from keras_ghostnet.layers.convolution import PACKAGE
from keras_ghostnet.layers.reparameterized import parallel_conv_bn
from keras_ghostnet.layers.types import Activation, Shape, Tensor


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
        input_dilation: As `RegNetBlock`, of all kernels. Not together with `strides`.
        activation: Any Keras activation, after both batch norms; None for a linear module,
            as the second one of a bottleneck.
        attention: Whether `DFCAttention` of the input gates the output. The output must have the
            input's size: no strides, no `"valid"` padding.
        branches: 1 for each convolution with its batch norm. More for as many in parallel, which
            are folded after training: the primary convolution's, and besides the cheap
            operation's a 1x1 convolution and a batch norm alone (`RepConv2D`). 0 for the folded
            form: convolutions with biases, no batch norms.
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
        "input_dilation",
        "attention",
        "branches",
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
        input_dilation: int = 1,
        activation: Activation = "relu",
        attention: bool = False,
        branches: int = 1,
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
            input_dilation=input_dilation,
        )
        self.check_padding(padding, ("symmetric", "same", "valid"), kernel_size=kernel_size)
        self.check_padding("symmetric", ("symmetric",), cheap_kernel_size=cheap_kernel_size)
        self.check_resampling(strides, dilation_rate * input_dilation)
        self.check_branches(branches)
        if attention and (strides > 1 or padding == "valid"):
            raise ValueError(
                "GhostModule: `attention` needs an output of the input's size: strides=1 and no "
                f"'valid' padding. Received: strides={strides}, padding={padding!r}."
            )
        self.filters = filters
        self.kernel_size = kernel_size
        self.ratio = ratio
        self.cheap_kernel_size = cheap_kernel_size
        self.strides = strides
        self.padding = padding
        self.dilation_rate = dilation_rate
        self.input_dilation = input_dilation
        self.attention = attention
        self.branches = branches
        self.folded = branches == 0
        self.intrinsic = math.ceil(filters / ratio)
        self.primary = parallel_conv_bn(
            self,
            self.intrinsic,
            kernel_size,
            "primary_{}",
            branches,
            strides=strides,
            padding=padding,
            dilation_rate=dilation_rate * input_dilation,
        )
        self.cheap: list[keras.Layer] = []
        if ratio > 1:
            self.cheap = parallel_conv_bn(
                self,
                None,
                cheap_kernel_size,
                "cheap_{}",
                branches,
                skip=ratio == 2,
                depth_multiplier=ratio - 1,
                dilation_rate=input_dilation,
            )
        self.gate: list[keras.Layer] = []
        if attention:
            self.gate = [
                DFCAttention(filters, self.folded, input_dilation, name="attention", **self.part)
            ]

    def build(self, input_shape: Shape) -> None:
        super().build(input_shape)
        build_chain(self.cheap, build_chain(self.primary, input_shape))
        build_chain(self.gate, input_shape)

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        maps = self.activation(run_chain(self.primary, inputs))
        if self.cheap:
            ghosts = self.activation(run_chain(self.cheap, maps))
            maps = keras.ops.concatenate([maps, ghosts], axis=self.axis)
        if self.intrinsic * self.ratio != self.filters:
            last = self.data_format == "channels_last"
            maps = maps[..., : self.filters] if last else maps[:, : self.filters]
        if self.gate:
            maps = keras.ops.multiply(maps, run_chain(self.gate, inputs))
        return maps

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return self.with_channels(chain_output_shape(self.primary, input_shape), self.filters)


@keras.saving.register_keras_serializable(package=PACKAGE)
class GhostBottleneck(Bottleneck):
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
        input_dilation, dilate: As `RegNetBlock`, of all kernels.
        attention: Whether the first ghost module has `attention`, as from GhostNetV2's third
            block on.
        branches: `branches` of both ghost modules and of the depthwise convolution between them;
            with 0 the shortcut is folded as well.
        activation: Any Keras activation, of the first ghost module and of SE's hidden units.
        data_format: `"channels_last"` or `"channels_first"`; None takes Keras' setting.
        drop_path: The fraction of the examples that in training go through the shortcut alone,
            in [0, 1): stochastic depth (Huang et al., ECCV 2016). What the others get of the
            modules is scaled by `1 / (1 - drop_path)`.
        **kwargs: Arguments of `keras.layers.Layer`.

    Input shape: `(batch, height, width, channels)` for channels last.
    Output shape: `(batch, new_height, new_width, filters)` for channels last.

    Raises:
        ValueError: If an argument is out of range, or `strides` and `dilation_rate` are both
            above 1.
    """

    ARGUMENTS = (*Bottleneck.ARGUMENTS, "ratio", "cheap_kernel_size", "attention", "branches")

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
        input_dilation: int = 1,
        dilate: bool = False,
        activation: Activation = "relu",
        attention: bool = False,
        branches: int = 1,
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
        self.check_branches(branches)
        self.ratio = ratio
        self.cheap_kernel_size = cheap_kernel_size
        self.attention = attention
        self.branches = branches
        self.folded = branches == 0
        ghost = dict(
            ratio=ratio, cheap_kernel_size=cheap_kernel_size, branches=branches, **self.part
        )
        self.assemble(
            GhostModule(
                expansion,
                input_dilation=input_dilation,
                activation=self.activation,
                attention=attention,
                name="ghost1",
                **ghost,
            ),
            parallel_conv_bn(self, None, kernel_size, "depthwise_{}", branches, **self.resampling),
            GhostModule(
                filters, input_dilation=self.spread, activation=None, name="ghost2", **ghost
            ),
        )
