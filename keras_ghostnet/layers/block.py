"""The base of the composite layers: what they share, and how their parts are run."""

import numbers
from collections.abc import Sequence
from typing import Any

import keras

from keras_ghostnet.layers.convolution import batch_norm, channel_axis, convolution
from keras_ghostnet.layers.types import Activation, Shape, Tensor

CHANNELS = ("divisor", "expansion", "filters", "group_width")  # arguments that are numbers of them
MAX_CHANNELS, MAX_NUMBER = 65_536, 1024


class Block(keras.layers.Layer):
    """A layer that is made of stock Keras layers and operations.

    What has weights, pads or pools is a stock layer; what only combines tensors is a Keras
    operation, since a layer costs a quarter of a millisecond to make. So a block can be taken
    apart into stock parts without a change of its result. Layers are named by their place:
    variables read `stage3_block2/ghost1/primary_conv/kernel`.

    Args:
        activation: Name of a Keras activation, or a function; not a layer.
        data_format: `"channels_last"` or `"channels_first"`; None takes Keras' setting.
        **kwargs: Arguments of `keras.layers.Layer`.
    """

    # Names of the constructor's further arguments, each kept as an attribute.
    ARGUMENTS: tuple[str, ...] = ()
    # Whether batch norms are folded into the convolutions in front of them.
    folded = False

    def __init__(
        self, activation: Activation = "relu", data_format: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if isinstance(activation, keras.layers.Layer):
            # It would stand in several places of the block, with one set of weights for all.
            raise ValueError(
                f"{type(self).__name__}: `activation` must be a function or its name, not a layer "
                f"with weights of its own. Received: {type(activation).__name__}. Use "
                "activation=None and put the layer after the block."
            )
        self.activation = keras.activations.get(activation)
        if data_format is None:
            data_format = keras.config.image_data_format()
        self.data_format = data_format
        if self.data_format not in ("channels_last", "channels_first"):
            raise ValueError(
                f"{type(self).__name__}: `data_format` must be 'channels_last' or "
                f"'channels_first'. Received: data_format={data_format!r}."
            )
        self.axis = channel_axis(self.data_format)

    def build(self, input_shape: Shape) -> None:
        """Checks the input; what a layer is made of, its own `build` builds after this."""
        self.channels(input_shape)

    def channels(self, shape: Shape) -> int:
        """The number of channels of an input; an unknown one is refused."""
        channels = shape[self.axis]
        if channels is None:
            raise ValueError(
                f"{type(self).__name__}: the number of channels must be known. "
                f"Received: input_shape={tuple(shape)}."
            )
        return channels

    @property
    def part(self) -> dict[str, Any]:
        """Arguments that every part takes over from the block.

        Keras hands `trainable` on only when it is set later: without it here, a frozen block
        that was saved and loaded would go on updating its batch norms.
        """
        return {
            "data_format": self.data_format,
            "dtype": self.dtype_policy,
            "trainable": self.trainable,
        }

    def conv_bn(
        self,
        filters: int | None,
        kernel_size: int | tuple[int, int],
        name: str = "{}",
        **options: Any,
    ) -> list[keras.Layer]:
        """Convolution (depthwise if `filters` is None) and batch norm, as a list of layers.

        In a block that is `folded`, a convolution with a bias.

        Args:
            filters: Output channels, or None.
            kernel_size: As `convolution`.
            name: Pattern of the names, e.g. `"shortcut_{}"` for shortcut_conv and shortcut_bn.
            **options: Further arguments of `convolution`.
        """
        options = {"use_bias": self.folded, **options, **self.part}
        layers = convolution(filters, kernel_size, name.format("conv"), **options)
        return layers if self.folded else [*layers, batch_norm(name.format("bn"), **self.part)]

    @property
    def spatial_axes(self) -> tuple[int, int]:
        """The axes of a batch's height and width."""
        return (1, 2) if self.data_format == "channels_last" else (2, 3)

    def sizes(self, shape: Shape) -> Shape:
        """Height and width of a shape of a batch."""
        return tuple(shape[axis] for axis in self.spatial_axes)

    def with_channels(self, shape: Shape, channels: int) -> Shape:
        """A shape with another number of channels."""
        sizes = list(shape)
        sizes[self.axis] = channels
        return tuple(sizes)

    def check_positive(self, **values: int) -> None:
        """Raises `ValueError` for a value that is not a positive integer, naming the argument.

        Channels may be 65,536, everything else 1024: more takes all memory.
        """
        for name, value in values.items():
            limit = MAX_CHANNELS if name in CHANNELS else MAX_NUMBER
            is_whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
            if not (is_whole and 1 <= value <= limit):
                raise ValueError(
                    f"{type(self).__name__}: `{name}` must be a positive integer, at most {limit}. "
                    f"Received: {name}={value!r}."
                )

    def check_branches(self, branches: int) -> None:
        """Raises `ValueError` unless `branches` is a number of them, or 0 for the folded form."""
        if branches != 0 or isinstance(branches, bool):
            self.check_positive(branches=branches)

    def check_padding(self, padding: str, allowed: tuple[str, ...], **kernel_sizes: int) -> None:
        """Raises `ValueError` for an unknown padding, or an even kernel that cannot be centered."""
        if padding not in allowed:
            raise ValueError(
                f"{type(self).__name__}: `padding` must be one of {allowed}. "
                f"Received: padding={padding!r}."
            )
        for name, kernel_size in kernel_sizes.items():
            if padding == "symmetric" and kernel_size % 2 == 0:
                raise ValueError(
                    f"{type(self).__name__}: symmetric padding needs an odd `{name}`. "
                    f"Received: {name}={kernel_size}. Use an odd one."
                )

    def check_resampling(self, strides: int, dilation_rate: int) -> None:
        """Raises `ValueError` if a convolution would have both a stride and a dilation."""
        if strides > 1 and dilation_rate > 1:
            raise ValueError(
                f"{type(self).__name__}: `strides` and `dilation_rate` cannot both be above 1. "
                f"Received: strides={strides}, dilation_rate={dilation_rate}."
            )

    def output_dilation(self, strides: int, input_dilation: int, dilate: bool) -> int:
        """The distance between neighboring samples behind a convolution, in pixels.

        Args:
            strides: Stride of the convolution.
            input_dilation: The distance in front of it.
            dilate: Whether its stride is replaced by dilation.

        Raises:
            ValueError: If a stride is left behind one that was replaced.
        """
        if dilate:
            return input_dilation * strides
        if strides > 1 and input_dilation > 1:
            raise ValueError(
                f"{type(self).__name__}: behind a stride that is replaced by dilation, all are. "
                f"Received: strides={strides}, input_dilation={input_dilation}, dilate={dilate}. "
                "Use dilate=True."
            )
        return input_dilation

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            **{name: getattr(self, name) for name in self.ARGUMENTS},
            "activation": keras.activations.serialize(self.activation),
            "data_format": self.data_format,
        }


def build_chain(layers: Sequence[keras.Layer], shape: Shape) -> Shape:
    """Builds layers that follow one another; returns the output shape of the last."""
    for layer in layers:
        layer.build(shape)
        shape = layer.compute_output_shape(shape)
    return shape


def run_chain(layers: Sequence[keras.Layer], x: Tensor) -> Tensor:
    """Applies layers one after another. `training` reaches them through Keras' call context."""
    for layer in layers:
        x = layer(x)
    return x


def chain_output_shape(layers: Sequence[keras.Layer], shape: Shape) -> Shape:
    """The shape that layers which follow one another put out, without building them."""
    for layer in layers:
        shape = layer.compute_output_shape(shape)
    return shape
