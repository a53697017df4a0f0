"""The networks that `keras.applications` has, without their own preprocessing and softmax."""

import keras

from keras_ghostnet import builder


def mobilenet_v1(width, size, name):
    """MobileNet of a width, with the arguments and result of a builder of `catalog`."""
    return _build(keras.applications.MobileNet, size, name, alpha=width)


def mobilenet_v2(width, size, name):
    """MobileNetV2 of a width."""
    return _build(keras.applications.MobileNetV2, size, name, alpha=width)


def mobilenet_v3_large(width, size, name):
    """MobileNetV3-Large of a width."""
    options = dict(alpha=width, include_preprocessing=False)
    return _build(keras.applications.MobileNetV3Large, size, name, **options)


def resnet_50(size, name):
    """ResNet-50 of 2015: the stride is in a block's first 1x1 convolution."""
    return _build(keras.applications.ResNet50, size, name)


def _build(constructor, size, name, **options):
    return constructor(
        weights=None,
        input_shape=builder.square(3, size),
        classifier_activation=None,
        name=name,
        **options,
    )
