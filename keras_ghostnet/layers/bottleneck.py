"""What the bottlenecks of C-GhostNet and its successors have in common."""

import numbers
from typing import Any

import keras

from keras_ghostnet.layers.attention import SqueezeExcite
from keras_ghostnet.layers.block import Block, build_chain, chain_output_shape, run_chain
from keras_ghostnet.layers.types import Activation, Shape, Tensor


class Bottleneck(Block):
    """Module (expand), depthwise convolution at stride 2, SE, module (project), shortcut.

    The arguments are those of `GhostBottleneck`. A subclass makes the modules and calls
    `assemble`.
    """

    ARGUMENTS: tuple[str, ...] = (
        "expansion",
        "filters",
        "kernel_size",
        "strides",
        "se_ratio",
        "padding",
        "dilation_rate",
        "input_dilation",
        "dilate",
        "drop_path",
    )

    def __init__(
        self,
        expansion: int,
        filters: int,
        kernel_size: int,
        strides: int,
        se_ratio: float,
        padding: str,
        dilation_rate: int,
        input_dilation: int,
        dilate: bool,
        activation: Activation,
        data_format: str | None,
        drop_path: float,
        **kwargs: Any,
    ) -> None:
        super().__init__(activation, data_format, **kwargs)
        self.check_positive(
            expansion=expansion,
            filters=filters,
            kernel_size=kernel_size,
            strides=strides,
            dilation_rate=dilation_rate,
            input_dilation=input_dilation,
        )
        # "valid" would leave the shortcut larger than what it is added to.
        self.check_padding(padding, ("symmetric", "same"), kernel_size=kernel_size)
        self.check_resampling(strides, dilation_rate)
        if not isinstance(se_ratio, float | numbers.Real) or se_ratio < 0:
            raise ValueError(
                f"{type(self).__name__}: `se_ratio` must be a number, 0 or more. "
                f"Received: se_ratio={se_ratio!r}."
            )
        if not isinstance(drop_path, float | numbers.Real) or not 0 <= drop_path < 1:
            raise ValueError(
                f"{type(self).__name__}: `drop_path` must be a number in [0, 1). "
                f"Received: drop_path={drop_path!r}."
            )
        self.expansion = expansion
        self.filters = filters
        self.kernel_size = kernel_size
        self.strides = strides
        self.se_ratio = se_ratio
        self.drop_path = drop_path
        self.padding = padding
        self.dilation_rate = dilation_rate
        self.input_dilation = input_dilation
        self.dilate = dilate
        self.spread = self.output_dilation(strides, input_dilation, dilate)
        self.resamples = strides > 1 or dilation_rate > 1
        self.resampling: dict[str, Any] = dict(
            strides=1 if dilate else strides,
            padding=padding,
            dilation_rate=dilation_rate * input_dilation,
        )

    def assemble(
        self, expand: keras.Layer, depthwise: list[keras.Layer], project: keras.Layer
    ) -> None:
        """Puts the modules around what is between them; the depthwise convolution if needed."""
        self.residual = [expand, *(depthwise if self.resamples else [])]
        if self.se_ratio:
            self.residual.append(
                SqueezeExcite(self.se_ratio, activation=self.activation, name="se", **self.part)
            )
        self.residual.append(project)
        if self.drop_path:
            self.residual.append(
                keras.layers.Dropout(
                    self.drop_path,
                    noise_shape=(None, 1, 1, 1),  # all of an example, or nothing
                    name="drop_path",
                    dtype=self.dtype_policy,
                )
            )
        self.shortcut: list[keras.Layer] = []

    def build(self, input_shape: Shape) -> None:
        super().build(input_shape)
        build_chain(self.residual, input_shape)
        if self.resamples or input_shape[self.axis] != self.filters:
            self.shortcut = [
                *self.conv_bn(None, self.kernel_size, "shortcut_depthwise_{}", **self.resampling),
                *self.conv_bn(self.filters, 1, "shortcut_{}"),
            ]
            build_chain(self.shortcut, input_shape)

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        return keras.ops.add(run_chain(self.residual, inputs), run_chain(self.shortcut, inputs))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return chain_output_shape(self.residual, input_shape)
