"""Networks that classify every pixel: LR-ASPP on the feature maps of any network."""

import os
from collections.abc import Sequence
from typing import Any

import keras

from keras_ghostnet import specs
from keras_ghostnet.features import feature_pyramid
from keras_ghostnet.layers.types import Shape

LOW_STRIDE = 4  # of the maps that edges come from, level P2
DEEPEST_STRIDE = 32  # of a network without dilation


def segmenter(
    name: str,
    classes: int,
    *,
    output_stride: int = 16,
    units: int = 128,
    dropout_rate: float = 0.0,
    weights: str | os.PathLike[str] | None = None,
    input_shape: Shape | None = None,
    **kwargs: Any,
) -> keras.Model:
    """A segmenter: a network with the head LR-ASPP, which outputs the classes of every pixel.

    LR-ASPP is the head of MobileNetV3's segmenter (Howard et al., ICCV 2019, section 6.4): the
    deepest maps are projected, gated by their mean over all positions, upsampled and classified;
    the classes by maps of a smaller stride are added. Here those have a stride of 4, not 8, which
    keeps edges sharper.

    Args:
        name: One of `list_models()` but those for CIFAR.
        classes: The number of classes.
        output_stride: The stride of the deepest maps: 32, 16 or 8; as `feature_pyramid`.
        units: Channels of the projection.
        dropout_rate: In front of the classifier of the deepest maps, in [0, 1).
        weights: Of the network below the head, as the model's constructor: `"imagenet"` for
            example.
        input_shape: `(height, width, channels)`; None leaves height and width open. Both must be
            multiples of 32.
        **kwargs: Further arguments of the model's constructor.

    Returns:
        A `keras.Model` that takes images as `name` does and outputs logits, float32
        `(batch, height, width, classes)`.

    Raises:
        ValueError: If there is no such model or output stride, it is one for CIFAR, the height or
            width is no multiple of 32, or Keras is set to channels first.
        OSError: If the weights cannot be read or downloaded.

    Example:

    >>> model = keras_ghostnet.segmenter("ghostnet_100", 21, input_shape=(64, 64, 3))
    >>> model.output_shape
    (None, 64, 64, 21)
    """
    require_fit(name, (input_shape or ())[:2])
    if keras.config.image_data_format() != "channels_last":
        raise ValueError("A segmenter needs keras.config.set_image_data_format('channels_last').")
    pyramid = feature_pyramid(
        name, ("P2", "P5"), output_stride, weights, input_shape, deepest=True, **kwargs
    )
    low, high = pyramid.output["P2"], pyramid.output["P5"]
    layers = keras.layers
    x = layers.Conv2D(units, 1, use_bias=False, name="project")(high)
    x = layers.ReLU(name="project_relu")(layers.BatchNormalization(name="project_bn")(x))
    gate = layers.GlobalAveragePooling2D(keepdims=True, name="gate_pool")(high)
    gate = layers.Conv2D(units, 1, activation="sigmoid", name="gate")(gate)
    x = layers.Multiply(name="gated")([x, gate])
    x = layers.Dropout(dropout_rate, name="dropout")(x)
    factor = output_stride // LOW_STRIDE
    x = layers.UpSampling2D(factor, interpolation="bilinear", name="to_low_stride")(x)
    of_classes = dict(filters=classes, kernel_size=1, dtype="float32")
    x = layers.Conv2D(**of_classes, name="high_logits")(x)
    x = layers.Add(name="logits", dtype="float32")(
        [x, layers.Conv2D(**of_classes, name="low_logits")(low)]
    )
    x = layers.UpSampling2D(
        LOW_STRIDE, interpolation="bilinear", name="to_pixels", dtype="float32"
    )(x)
    return keras.Model(pyramid.input, x, name=f"{pyramid.name}_lr_aspp")


def require_fit(name: str, size: Sequence[int | None]) -> None:
    """Refuses networks and images of which no segmenter can be made, before anything is built.

    Args:
        name: The network's.
        size: Height and width of the images, pixels; None where it is open.

    Raises:
        ValueError: If there is no such network, it is one for CIFAR, or a side is no multiple of
            32.
    """
    if isinstance(specs.get_spec(name), specs.CifarSpec):
        raise ValueError(
            f"{name} has no dilated form, as which a segmenter needs it. Choose a network for "
            "photographs, such as ghostnet_100."
        )
    if any(side is not None and side % DEEPEST_STRIDE for side in size):
        raise ValueError(
            f"Height and width of a segmenter's images must be multiples of {DEEPEST_STRIDE}. "
            f"Received: {' x '.join(map(str, size))}."
        )
