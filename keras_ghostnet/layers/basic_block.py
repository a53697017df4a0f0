"""ResNet's basic block of ghost modules, as the networks for CIFAR have it."""

from typing import Any

import keras

from keras_ghostnet.layers.block import Block, build_chain, chain_output_shape, run_chain
from keras_ghostnet.layers.convolution import PACKAGE
from keras_ghostnet.layers.ghost import GhostModule
from keras_ghostnet.layers.types import Activation, Shape, Tensor


@keras.saving.register_keras_serializable(package=PACKAGE)
class GhostBasicBlock(Block):
    """ResNet's basic block with ghost modules in place of its two 3x3 convolutions.

    The second module is linear; the input is added to it, then activated. Where shapes differ the
    input is subsampled and followed by channels of zeros: the shortcut without parameters, option
    A of *Deep Residual Learning for Image Recognition* (He et al., CVPR 2016), section 4.2.

    Args:
        filters: Output channels, at least those of the input.
        strides: Stride of the first module, an integer.
        ratio: `ratio` of both ghost modules; 1 makes it the plain block.
        cheap_kernel_size: `cheap_kernel_size` of both ghost modules.
        activation: Any Keras activation.
        data_format: `"channels_last"` or `"channels_first"`; None takes Keras' setting.
        **kwargs: Arguments of `keras.layers.Layer`.

    Input shape: `(batch, height, width, channels)` for channels last.
    Output shape: `(batch, new_height, new_width, filters)` for channels last.

    Raises:
        ValueError: If an argument is out of range, or the input has more than `filters` channels.
    """

    ARGUMENTS = ("filters", "strides", "ratio", "cheap_kernel_size")

    def __init__(
        self,
        filters: int,
        strides: int = 1,
        ratio: int = 2,
        cheap_kernel_size: int = 3,
        activation: Activation = "relu",
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(activation, data_format, **kwargs)
        self.check_positive(filters=filters, strides=strides)
        self.filters = filters
        self.strides = strides
        self.ratio = ratio
        self.cheap_kernel_size = cheap_kernel_size
        ghost = dict(kernel_size=3, ratio=ratio, cheap_kernel_size=cheap_kernel_size, **self.part)
        self.residual = [
            GhostModule(
                filters, strides=strides, activation=self.activation, name="ghost1", **ghost
            ),
            GhostModule(filters, activation=None, name="ghost2", **ghost),
        ]
        self.subsample: list[keras.Layer] = []
        if strides > 1:  # a pooling of one pixel: every second one in both directions
            self.subsample.append(
                keras.layers.AveragePooling2D(1, strides, name="subsample", **self.part)
            )

    def build(self, input_shape: Shape) -> None:
        super().build(input_shape)
        self.zeros = self.filters - self.channels(input_shape)
        if self.zeros < 0:
            raise ValueError(
                "GhostBasicBlock: the shortcut adds channels but takes none away: `filters` must "
                f"be at least those of the input. Received: filters={self.filters}, "
                f"input_shape={tuple(input_shape)}."
            )
        build_chain(self.residual, input_shape)
        build_chain(self.subsample, input_shape)

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        shortcut = run_chain(self.subsample, inputs)
        if self.zeros:
            widths = [(0, 0)] * 4
            widths[self.axis] = (0, self.zeros)
            shortcut = keras.ops.pad(shortcut, widths)
        return self.activation(keras.ops.add(run_chain(self.residual, inputs), shortcut))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return chain_output_shape(self.residual, input_shape)
