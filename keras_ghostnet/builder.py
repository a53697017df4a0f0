"""What all models have in common: validated arguments, input, head, model, weights."""

import functools
import inspect
import numbers
import os
import textwrap
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import keras

from keras_ghostnet import specs
from keras_ghostnet.copying import set_weights
from keras_ghostnet.layers.block import run_chain
from keras_ghostnet.layers.convolution import batch_norm, channel_axis, convolution
from keras_ghostnet.layers.types import Activation, Shape, Tensor
from keras_ghostnet.weights import transfer

MAX_SIZE = 65_536  # pixels of an image's side, and channels
MAX_CLASSES = 1_000_000
POOLINGS = (None, "avg", "max")

Constructor = TypeVar("Constructor", bound=Callable[..., keras.Model])

# What the constructors' docstrings share; `document` puts it in.
ARGUMENTS = """\
include_top: Whether the network ends in its classifier{head}.
weights: {weights}
input_tensor: A Keras tensor to build the network on, instead of a new input.
input_shape: `(height, width, channels)`, or channels first if Keras is set so; sizes may be
    None, else at least {min_size}. None means `({image_size}, {image_size}, 3)` with the
    classifier, `(None, None, 3)` without it, or the shape of `input_tensor`.
pooling: Without the classifier: None returns the last feature maps, `"avg"` or `"max"` their
    average or maximum over all positions.
classes: The number of classes.
classifier_activation: Any Keras activation for the classifier; None returns logits.
dropout_rate: Dropout in front of the classifier, in [0, 1).{output_stride}
name: The model's name; None takes the name in the registry."""

OUTPUT_STRIDE = """
output_stride: The stride that no feature maps exceed: 32, or 16 or 8, for which strides of the
    last stages are replaced by dilation. The weights are the same."""

PUBLIC_WEIGHTS = """\
None (random), `"imagenet"` or another tag of `keras_ghostnet.weights.REGISTRY`, a
    checkpoint's path: `.safetensors`, `.pth`, `.pdparams`, Keras-2 `.h5`, Keras-3 `.weights.h5`
    or `.keras`, detected from the contents, in one file or in shards; or a training run's folder;
    or `"hf://ORG/NAME"`, a model of the Hugging Face hub, `"hf://ORG/NAME@REVISION"` one of its
    branches, tags or commits.
    `classifier_activation` can only be None or `"softmax"` then. None is the default, unlike in
    `keras.applications`: nothing is downloaded unasked."""

RESULTS = """\
Call arguments:
    inputs: Batch of RGB images as `keras_ghostnet.preprocess_input` makes them, values about
        -2.2 to 2.7: `(batch, height, width, 3)`, or channels first if Keras is set so.

Returns:
    A `keras.Model`. It outputs `(batch, classes)`: probabilities, or logits without an
    activation. Without the classifier,
    `(batch, height / {stride}, width / {stride}, {features})` or, pooled, `(batch, {features})`.

Raises:
    ValueError: If an argument is out of range, or if the weights do not fit the network.
    OSError: If the weights cannot be read or downloaded."""


def build(
    spec: specs.Spec,
    backbone: Callable[[Tensor, Any], Tensor],
    head: Callable[[Tensor, Any], Tensor],
    *,
    include_top: bool,
    weights: str | os.PathLike[str] | None,
    input_tensor: Tensor | None,
    input_shape: Shape | None,
    pooling: str | None,
    classes: int,
    classifier_activation: Activation,
    dropout_rate: float,
    name: str | None,
) -> keras.Model:
    """Checks the arguments of a model's constructor and builds the model.

    Args:
        spec: `GhostNetSpec`, `GGhostSpec` or `CifarSpec`.
        backbone: Function of the input and the specification that returns feature maps.
        head: Function of the pooled features and the specification, in front of the dropout.
        input_shape, ...: As the models' constructors.

    Returns:
        A `keras.Model` with its weights.

    Raises:
        ValueError: If an argument is out of range, or if the weights do not fit.
        OSError: If the weights cannot be read or downloaded.
    """
    _check_arguments(pooling, classes, dropout_rate, include_top)
    inputs = _input(input_tensor, input_shape, include_top, spec)
    checkpoint = None
    if weights is not None:
        if include_top:
            _check_activation(classifier_activation)
        checkpoint = transfer.open_weights_for(
            weights,
            spec,
            classes=classes if include_top else None,
            channels=inputs.shape[channel_axis(keras.config.image_data_format())],
        )

    def rebuild():
        return build(
            checkpoint.spec,
            backbone,
            head,
            include_top=checkpoint.classes is not None,
            weights=None,
            input_tensor=None,
            input_shape=square(checkpoint.channels, None),
            pooling=None,
            classes=checkpoint.classes or 1000,
            classifier_activation=None,
            dropout_rate=0,
            name=None,
        )

    x = backbone(inputs, spec)
    if include_top:
        x = keras.layers.GlobalAveragePooling2D(name="avg_pool")(x)
        x = head(x, spec)
        x = keras.layers.Dropout(dropout_rate, name="dropout")(x)
        x = keras.layers.Dense(
            int(classes),
            activation=classifier_activation,
            # Small, so that training begins with all classes about equally probable.
            kernel_initializer=keras.initializers.RandomUniform(-0.01, 0.01),
            name="predictions",
            dtype=_classifier_dtype(),
        )(x)
    elif pooling == "avg":
        x = keras.layers.GlobalAveragePooling2D(name="avg_pool")(x)
    elif pooling == "max":
        x = keras.layers.GlobalMaxPooling2D(name="max_pool")(x)

    if input_tensor is not None:
        inputs = keras.utils.get_source_inputs(input_tensor)
        if len(inputs) == 1:  # given a list, the model would warn at every call with an array
            inputs = inputs[0]
    model = keras.Model(inputs, x, name=name or spec.name)
    if checkpoint is not None:
        transfer.assign_weights(checkpoint, model, include_top, rebuild)
    return model


def conv_bn_relu(
    x: Tensor,
    filters: int,
    kernel_size: int,
    name: str,
    strides: int = 1,
    folded: bool = False,
) -> Tensor:
    """Convolution, batch norm and ReLU, named `NAME_conv`, `NAME_bn`, `NAME_relu`.

    With `folded` the convolution has a bias in place of the batch norm.
    """
    part = dict(data_format=keras.config.image_data_format(), dtype=keras.config.dtype_policy())
    options = dict(strides=strides, use_bias=folded, **part)
    layers = convolution(filters, kernel_size, f"{name}_conv", **options)
    if not folded:
        layers.append(batch_norm(f"{name}_bn", **part))
    return run_chain([*layers, keras.layers.ReLU(name=f"{name}_relu")], x)


def at_output_stride(
    backbone: Callable[..., Tensor], output_stride: int
) -> Callable[[Tensor, Any], Tensor]:
    """A network's backbone for `build` that keeps an output stride.

    Args:
        backbone: Function of the input, the specification and `output_stride`.
        output_stride: One of `specs.OUTPUT_STRIDES`.

    Raises:
        ValueError: If it is none of these.
    """
    if not (_is_whole(output_stride) and output_stride in specs.OUTPUT_STRIDES):
        raise ValueError(
            f"`output_stride` must be one of {', '.join(map(str, specs.OUTPUT_STRIDES))}. "
            f"Received: output_stride={output_stride!r}."
        )
    return functools.partial(backbone, output_stride=output_stride)


def dilated(is_first: bool, before: int, after: int) -> dict[str, Any]:
    """Arguments of a stage's block from the stage's row of `specs.stage_dilations`.

    Args:
        is_first: Whether it is the block that has the stage's stride.
        before, after: The distance of neighboring samples in front of the stage and behind it.
    """
    return {
        "input_dilation": before if is_first else after,
        "dilate": is_first and after > before,
    }


def document(
    *,
    features: int | str,
    weights: str = PUBLIC_WEIGHTS,
    head: str = "",
    stride: int = 32,
    output_stride: str = OUTPUT_STRIDE,
    image_size: int = specs.IMAGENET_SIZE,
    min_size: int = specs.MIN_SIZE,
    **others: str,
) -> Callable[[Constructor], Constructor]:
    """Decorator that completes a constructor's docstring with what all of them share.

    Args:
        features: Channels of the last feature maps.
        weights: The text on the argument of that name.
        head: What belongs to the classifier besides.
        stride: Of the last feature maps.
        output_stride: The text on the argument of that name, if the constructor has it.
        image_size, min_size: Side of the images by default, and the least, pixels.
        **others: What else the docstring names in braces.
    """
    arguments = ARGUMENTS.replace("{output_stride}", output_stride)
    weights = textwrap.indent(weights, "    ").lstrip()
    words = dict(
        features=features,
        weights=weights,
        head=head,
        stride=stride,
        image_size=image_size,
        min_size=min_size,
    )

    def complete(function: Constructor) -> Constructor:
        text = inspect.cleandoc(function.__doc__ or "")
        text = text.replace("    {arguments}", textwrap.indent(arguments, "    "))
        text = text.replace("{results}", RESULTS)
        function.__doc__ = text.format(**words, **others)
        return function

    return complete


def _check_arguments(pooling, classes, dropout_rate, include_top):
    if pooling not in POOLINGS:
        raise ValueError(f"`pooling` must be one of {POOLINGS}. Received: pooling={pooling!r}.")
    if include_top not in (True, False):  # texts, which count as True
        raise ValueError(
            f"`include_top` must be True or False. Received: include_top={include_top!r}."
        )
    if include_top and not (_is_whole(classes) and classes <= MAX_CLASSES):
        raise ValueError(
            f"`classes` must be a positive integer, at most {MAX_CLASSES:,}. "
            f"Received: classes={classes!r}."
        )
    if not isinstance(dropout_rate, numbers.Real) or not 0 <= dropout_rate < 1:
        raise ValueError(
            "`dropout_rate` must be at least 0 and below 1. "
            f"Received: dropout_rate={dropout_rate!r}."
        )


def _is_whole(value):
    """Whether a value is a positive integer, NumPy's included."""
    return isinstance(value, numbers.Integral) and not isinstance(value, bool) and value > 0


def _input(input_tensor, input_shape, include_top, spec):
    """The input of the network: a new one, or `input_tensor`, after all checks on its shape."""
    channels_last = keras.config.image_data_format() == "channels_last"
    if isinstance(input_shape, list):
        input_shape = tuple(input_shape)
    if input_tensor is not None:
        if not keras.utils.is_keras_tensor(input_tensor):
            raise ValueError(
                "`input_tensor` must be a Keras tensor, such as `keras.Input(...)` or the output "
                f"of a layer called on one. Received: {type(input_tensor).__name__}."
            )
        if input_shape is not None and tuple(input_tensor.shape[1:]) != input_shape:
            raise ValueError(
                "`input_shape` must agree with the shape of `input_tensor` (or be left out). "
                f"Received: input_shape={input_shape}, "
                f"input_tensor.shape={tuple(input_tensor.shape)}."
            )
        input_shape = input_tensor.shape[1:]
    if input_shape is None:
        input_shape = square(3, spec.image_size if include_top else None)

    layout = "(height, width, channels)" if channels_last else "(channels, height, width)"
    if not isinstance(input_shape, tuple) or len(input_shape) != 3:
        raise ValueError(
            f"`input_shape` must have three entries, {layout}. Received: input_shape={input_shape}."
        )
    *size, channels = input_shape if channels_last else (*input_shape[1:], input_shape[0])
    if any(_is_whole(number) and number > MAX_SIZE for number in input_shape):
        raise ValueError(
            f"`input_shape` must hold at most {MAX_SIZE:,} pixels a side, and channels. "
            f"Received: input_shape={input_shape}."
        )
    if not _is_whole(channels):
        raise ValueError(
            f"`input_shape` must give the number of channels: {layout} with Keras' image data "
            f"format {keras.config.image_data_format()!r}. Received: input_shape={input_shape}."
        )
    require_large_enough(spec, size, f"input_shape={input_shape}")
    return keras.Input(input_shape) if input_tensor is None else input_tensor


def require_large_enough(spec: specs.Spec, size: Sequence[int | None], received: str) -> None:
    """Refuses images that a network is too deep for.

    Args:
        spec: The network's.
        size: Height and width of the images, pixels; None where it is open.
        received: The argument that sets them, `name=value`, for the message.

    Raises:
        ValueError: If a side is too small.
    """
    least = spec.min_size
    if any(side is not None and not (_is_whole(side) and side >= least) for side in size):
        pixels = "two pixels" if least > specs.MIN_SIZE else "one pixel"
        raise ValueError(
            f"Images must be at least {least} x {least} (five strides of 2 leave {pixels} "
            f"of that). Received: {received}. Resize the images."
        )


def square(channels: int, size: int | None) -> Shape:
    """The shape of a square image of that size in pixels (or None) in Keras' data format."""
    if keras.config.image_data_format() == "channels_first":
        return (channels, size, size)
    return (size, size, channels)


def with_image_size(model: keras.Model, size: int) -> keras.Model:
    """A copy of a network, weights included, for square images of another size.

    Args:
        model: A Keras model of one batch of images; its own size may be open, `(None, None, 3)`.
        size: Side of the images, pixels.

    Returns:
        A new model of the same name; the model itself if that is its size already.

    Raises:
        ValueError: If the model takes anything but images, or cannot take those of this size.
    """
    shapes = [tuple(tensor.shape) for tensor in model.inputs]
    if [len(shape) for shape in shapes] != [4]:
        raise ValueError(f"{model.name} takes no images, but {shapes}: it has no image size.")
    if not _is_whole(size):
        raise ValueError(f"The image size must be a positive integer. Received: {size!r}.")
    ((_, *shape),) = shapes
    axis = 0 if keras.config.image_data_format() == "channels_first" else 2
    resized = square(shape[axis], size)
    if tuple(shape) == resized:
        return model
    try:
        given = model.inputs[0] if isinstance(model, keras.Sequential) else model.input
        inputs = keras.tree.map_structure(lambda x: keras.Input(resized, dtype=x.dtype), given)
        copy = keras.models.clone_model(model, inputs)
        set_weights(copy, model.get_weights())
    except (ValueError, TypeError) as error:  # a Flatten, a subclass without a graph
        reason = str(error).strip().splitlines()[0]
        raise ValueError(f"{model.name} cannot take images of {size} pixels: {reason}") from error
    return copy


def _check_activation(classifier_activation):
    """As in `keras.applications`: pretrained classifiers know softmax or logits alone."""
    if keras.activations.get(classifier_activation) not in (
        keras.activations.softmax,
        keras.activations.linear,
    ):
        raise ValueError(
            "With pretrained weights and `include_top=True`, `classifier_activation` can only be "
            f"None or 'softmax'. Received: classifier_activation={classifier_activation!r}."
        )


def _classifier_dtype():
    """Float32 under a mixed policy, so that the softmax keeps its precision; else the policy."""
    policy = keras.config.dtype_policy()
    return policy.variable_dtype if policy.name.startswith("mixed") else policy
