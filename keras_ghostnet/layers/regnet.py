"""G-GhostNet's layers: the RegNet block and the G-Ghost stage made of it.

*GhostNets on Heterogeneous Devices via Cheap Operations* (arXiv 2201.03297), section 4, and
the authors' code; the block is *Designing Network Design Spaces*' X block (CVPR 2020).
"""

from typing import Any

import keras

from keras_ghostnet.layers.block import Block, build_chain, chain_output_shape, run_chain
from keras_ghostnet.layers.convolution import PACKAGE
from keras_ghostnet.layers.types import Activation, Shape, Tensor
from keras_ghostnet.specs import GGhostStageSpec


@keras.saving.register_keras_serializable(package=PACKAGE)
class RegNetBlock(Block):
    """1x1 convolution, grouped 3x3 convolution, 1x1 convolution, shortcut: RegNet's X block.

    Batch norm and activation follow the first two; the third has batch norm, is added to the
    input and then activated. Where stride or channels change, the shortcut is a strided 1x1
    convolution with batch norm.

    Args:
        filters: Output channels, and those inside (bottleneck ratio 1).
        group_width: Channels per group of the 3x3 convolution; `filters` or more means one
            group, else it must divide `filters`.
        strides: Stride of the 3x3 convolution, an integer.
        dilation_rate: Dilation of the 3x3 convolution, an integer; not together with `strides`.
        input_dilation: Where strides in front of this block are replaced by dilation: the
            distance in pixels between the inputs that are neighbors in the strided network. The
            kernel is dilated by it.
        dilate: Whether the block's own stride is replaced by dilation: the maps keep their size,
            and what follows has an `input_dilation` `strides` times as large. Of the outputs,
            every one that the strided network has is the same.
        activation: Any Keras activation.
        data_format: `"channels_last"` or `"channels_first"`; None takes Keras' setting.
        **kwargs: Arguments of `keras.layers.Layer`.

    Input shape: `(batch, height, width, channels)` for channels last.
    Output shape: `(batch, new_height, new_width, filters)` for channels last.

    Raises:
        ValueError: If an argument is out of range or `group_width` does not divide `filters`.
    """

    ARGUMENTS = (
        "filters",
        "group_width",
        "strides",
        "dilation_rate",
        "input_dilation",
        "dilate",
    )

    def __init__(
        self,
        filters: int,
        group_width: int,
        strides: int = 1,
        dilation_rate: int = 1,
        input_dilation: int = 1,
        dilate: bool = False,
        activation: Activation = "relu",
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(activation, data_format, **kwargs)
        self.check_positive(
            filters=filters,
            group_width=group_width,
            strides=strides,
            dilation_rate=dilation_rate,
            input_dilation=input_dilation,
        )
        self.check_resampling(strides, dilation_rate)
        self.output_dilation(strides, input_dilation, dilate)
        if filters % min(filters, group_width):
            raise ValueError(
                "RegNetBlock: `group_width` must divide `filters`. Received: "
                f"filters={filters}, group_width={group_width}."
            )
        self.filters = filters
        self.group_width = group_width
        self.strides = strides
        self.dilation_rate = dilation_rate
        self.input_dilation = input_dilation
        self.dilate = dilate
        self.subsampling = 1 if dilate else strides
        grouped = dict(
            strides=self.subsampling,
            groups=filters // min(filters, group_width),
            dilation_rate=dilation_rate * input_dilation,
        )
        self.expand = self.conv_bn(filters, 1, "{}1")
        self.grouped = self.conv_bn(filters, 3, "{}2", **grouped)
        self.project = self.conv_bn(filters, 1, "{}3")
        self.shortcut: list[keras.Layer] = []

    def build(self, input_shape: Shape) -> None:
        super().build(input_shape)
        build_chain([*self.expand, *self.grouped, *self.project], input_shape)
        if self.strides > 1 or input_shape[self.axis] != self.filters:
            self.shortcut = self.conv_bn(self.filters, 1, "shortcut_{}", strides=self.subsampling)
            build_chain(self.shortcut, input_shape)

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        x = self.activation(run_chain(self.expand, inputs))
        x = self.activation(run_chain(self.grouped, x))
        x = keras.ops.add(run_chain(self.project, x), run_chain(self.shortcut, inputs))
        return self.activation(x)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return chain_output_shape([*self.expand, *self.grouped], input_shape)


@keras.saving.register_keras_serializable(package=PACKAGE)
class GGhostStage(Block):
    """A stage of RegNet blocks, half of whose channels are made by cheap operations.

    The first block (`base`) works at full width. Its output is split: the raw half runs
    through `depth - 2` narrower blocks; the cheap half is one 1x1 convolution, to which `mix`
    adds what the raw half found: the means of the base's and of every raw block's maps,
    through two 1x1 convolutions. Both halves are concatenated, raw half first, and go through
    the last block (`end`) at full width (paper section 4.2, figures 4 and 5).

    Args:
        filters: Output channels.
        depth: Blocks of the stage that this one replaces, at least 3.
        group_width: Channels per group of `base` and `end`; the raw half has three quarters
            of it.
        strides: Stride of `base`.
        input_dilation, dilate: As `RegNetBlock`, of `base`; the other blocks follow. The means in
            `mix` are then of more positions, so that the outputs differ a little.
        activation: Any Keras activation.
        data_format: `"channels_last"` or `"channels_first"`; None takes Keras' setting.
        **kwargs: Arguments of `keras.layers.Layer`.

    Input shape: `(batch, height, width, channels)` for channels last.
    Output shape: `(batch, new_height, new_width, filters)` for channels last.

    Raises:
        ValueError: If an argument is out of range, or `filters` is too small to be split.
    """

    ARGUMENTS = ("filters", "depth", "group_width", "strides", "input_dilation", "dilate")

    def __init__(
        self,
        filters: int,
        depth: int,
        group_width: int,
        strides: int = 2,
        input_dilation: int = 1,
        dilate: bool = False,
        activation: Activation = "relu",
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(activation, data_format, **kwargs)
        self.check_positive(
            filters=filters,
            depth=depth,
            group_width=group_width,
            strides=strides,
            input_dilation=input_dilation,
        )
        if depth < 3:
            raise ValueError(
                "GGhostStage: `depth` must be at least 3: a block before the split, one after it "
                f"and one between. Received: depth={depth}."
            )
        spec = GGhostStageSpec(depth, filters, group_width, ghost=True)
        if spec.raw_group_width < 1 or spec.raw_width < 1:
            raise ValueError(
                "GGhostStage: too few channels to split. `group_width` must be at least 2 and "
                "half of `filters` at least 3/4 of it. Received: "
                f"filters={filters}, group_width={group_width}."
            )
        self.filters = filters
        self.depth = depth
        self.group_width = group_width
        self.strides = strides
        self.input_dilation = input_dilation
        self.dilate = dilate
        self.raw_width = spec.raw_width
        self.cheap_width = spec.cheap_width

        block = dict(activation=self.activation, **self.part)
        self.base = RegNetBlock(
            filters,
            group_width,
            strides,
            input_dilation=input_dilation,
            dilate=dilate,
            name="base",
            **block,
        )
        block["input_dilation"] = self.output_dilation(strides, input_dilation, dilate)
        self.raw = [
            RegNetBlock(self.raw_width, spec.raw_group_width, name=f"raw{number}", **block)
            for number in range(1, depth - 1)
        ]
        self.pools = [
            keras.layers.GlobalAveragePooling2D(keepdims=True, name=f"pool{number}", **self.part)
            for number in range(depth - 1)
        ]
        self.mix1 = self.conv_bn(self.cheap_width, 1, "mix_{}1")
        self.mix2 = self.conv_bn(self.cheap_width, 1, "mix_{}2")
        self.cheap = self.conv_bn(self.cheap_width, 1, "cheap_{}")
        self.end = RegNetBlock(filters, group_width, name="end", **block)

    def build(self, input_shape: Shape) -> None:
        super().build(input_shape)
        full = build_chain([self.base], input_shape)
        build_chain(self.raw, self.with_channels(full, self.raw_width))
        build_chain(self.cheap, self.with_channels(full, self.cheap_width))
        means = self.filters + self.raw_width * len(self.raw)
        pooled = self.pools[0].compute_output_shape(full)
        build_chain([*self.mix1, *self.mix2], self.with_channels(pooled, means))
        build_chain([self.end], full)

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        base = self.base(inputs)
        raw, cheap = keras.ops.split(base, [self.raw_width], axis=self.axis)
        outputs = [base]
        for block in self.raw:
            raw = block(raw)
            outputs.append(raw)
        # The mean of a concatenation is the concatenation of the means, which is far smaller.
        means = [pool(maps) for pool, maps in zip(self.pools, outputs, strict=True)]
        means = keras.ops.concatenate(means, axis=self.axis)
        mix = run_chain(self.mix2, self.activation(run_chain(self.mix1, means)))
        # In this order: of one image, channels first, Keras would take `mix` for a bias.
        cheap = self.activation(keras.ops.add(mix, run_chain(self.cheap, cheap)))
        return self.end(keras.ops.concatenate([raw, cheap], axis=self.axis))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return self.base.compute_output_shape(input_shape)
