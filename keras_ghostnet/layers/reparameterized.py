"""Convolutions of parallel branches, which are one convolution once they are trained.

GhostNetV3 (arXiv 2404.11202), section 3.2; RepGhost (arXiv 2211.06088), section 3.3.
"""

from typing import Any

import keras

from keras_ghostnet.layers.block import Block, build_chain, chain_output_shape, run_chain
from keras_ghostnet.layers.convolution import PACKAGE, batch_norm
from keras_ghostnet.layers.types import Shape, Tensor


@keras.saving.register_keras_serializable(package=PACKAGE)
class RepConv2D(Block):
    """The sum of parallel convolutions of one input, each with its batch norm.

    Branches are summed without an activation, so that at inference they are one convolution with
    a bias, into which `keras_ghostnet.export.deploy` folds them.

    Args:
        filters: Output channels; None makes depthwise convolutions.
        kernel_size: Size of the convolutions, an integer; odd under symmetric padding.
        branches: How many convolutions of that size, at least 1.
        pointwise: Whether there is a 1x1 convolution of the same strides besides.
        skip: Whether there is a batch norm of the input itself besides; the output has its shape
            then.
        strides: An integer.
        padding: `"symmetric"` or `"same"`, as in `GhostModule`.
        dilation_rate: An integer.
        depth_multiplier: Output channels per input channel of depthwise convolutions.
        data_format: `"channels_last"` or `"channels_first"`; None takes Keras' setting.
        **kwargs: Arguments of `keras.layers.Layer`.

    Input shape: `(batch, height, width, channels)` for channels last.
    Output shape: `(batch, new_height, new_width, filters)` for channels last.

    Raises:
        ValueError: If an argument is out of range, or the input does not have the shape of the
            output that `skip` is to be added to.
    """

    ARGUMENTS = (
        "filters",
        "kernel_size",
        "branches",
        "pointwise",
        "skip",
        "strides",
        "padding",
        "dilation_rate",
        "depth_multiplier",
    )

    def __init__(
        self,
        filters: int | None,
        kernel_size: int = 3,
        branches: int = 1,
        pointwise: bool = False,
        skip: bool = False,
        strides: int = 1,
        padding: str = "symmetric",
        dilation_rate: int = 1,
        depth_multiplier: int = 1,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(None, data_format, **kwargs)
        self.check_positive(
            kernel_size=kernel_size,
            branches=branches,
            strides=strides,
            dilation_rate=dilation_rate,
            depth_multiplier=depth_multiplier,
            **({} if filters is None else {"filters": filters}),
        )
        self.check_padding(padding, ("symmetric", "same"), kernel_size=kernel_size)
        self.check_resampling(strides, dilation_rate)
        self.filters = filters
        self.kernel_size = kernel_size
        self.branches = branches
        self.pointwise = pointwise
        self.skip = skip
        self.strides = strides
        self.padding = padding
        self.dilation_rate = dilation_rate
        self.depth_multiplier = depth_multiplier
        options = dict(strides=strides, depth_multiplier=depth_multiplier, padding=padding)
        self.pad: list[keras.Layer] = []  # one for all branches
        self.convolutions, self.norms = [], []
        for number in range(1, branches + 1):
            *self.pad, convolution, norm = self.conv_bn(
                filters, kernel_size, f"{{}}{number}", dilation_rate=dilation_rate, **options
            )
            self.convolutions.append(convolution)
            self.norms.append(norm)
        self.side: list[keras.Layer] = []
        if pointwise:
            self.side = self.conv_bn(filters, 1, "pointwise_{}", **options)
        self.identity = [batch_norm("skip_bn", **self.part)] if skip else []

    def build(self, input_shape: Shape) -> None:
        super().build(input_shape)
        output_shape = self.compute_output_shape(input_shape)
        if self.skip and output_shape != tuple(input_shape):
            raise ValueError(
                "RepConv2D: with `skip` the output must have the shape of the input. Received: "
                f"input_shape={tuple(input_shape)}, of which it makes {output_shape}. Leave out "
                "`skip`, or the strides, and take as many filters as the input has channels."
            )
        padded = build_chain(self.pad, input_shape)
        for branch in zip(self.convolutions, self.norms, strict=True):
            build_chain(branch, padded)
        build_chain(self.side, input_shape)
        build_chain(self.identity, input_shape)

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        padded = run_chain(self.pad, inputs)
        branches = zip(self.convolutions, self.norms, strict=True)
        outputs = [run_chain(branch, padded) for branch in branches]
        outputs += [run_chain(chain, inputs) for chain in (self.side, self.identity) if chain]
        total = outputs[0]
        for maps in outputs[1:]:
            total = keras.ops.add(total, maps)
        return total

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return chain_output_shape([*self.pad, self.convolutions[0]], tuple(input_shape))

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        del config["activation"]
        return config


def parallel_conv_bn(
    block: Block,
    filters: int | None,
    kernel_size: int,
    name: str,
    branches: int,
    skip: bool = False,
    **options: Any,
) -> list[keras.Layer]:
    """A convolution of so many branches for a block, as a list of layers.

    Args:
        block: What they are parts of.
        filters, kernel_size, name: As `Block.conv_bn`.
        branches: 1 for a convolution and batch norm; more for a `RepConv2D`, which has a 1x1
            branch too where that is another size; 0 if they are folded, for a convolution alone.
        skip: As `RepConv2D`, where that has more than one branch.
        **options: Further arguments of `Block.conv_bn`.
    """
    if branches <= 1:
        return block.conv_bn(filters, kernel_size, name, **options)
    return [
        RepConv2D(
            filters,
            kernel_size,
            branches,
            pointwise=kernel_size > 1,
            skip=skip,
            name=name.format("conv"),
            **options,
            **block.part,
        )
    ]
