"""The papers' networks for CIFAR without ghost modules, of stock layers."""

import keras


def unit(x, filters, strides=1, relu=True):
    """3x3 convolution, padded by one pixel on all sides, and batch norm, of stock layers."""
    x = keras.layers.ZeroPadding2D(1)(x)
    x = keras.layers.Conv2D(filters, 3, strides, use_bias=False)(x)
    x = keras.layers.BatchNormalization(epsilon=1e-5)(x)
    return keras.layers.ReLU()(x) if relu else x


def vgg16():
    inputs = x = keras.Input((32, 32, 3))
    for width, repeats in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        for _ in range(repeats):
            x = unit(x, width)
        x = keras.layers.MaxPooling2D(2)(x)
    x = keras.layers.Dense(512, use_bias=False)(keras.layers.Flatten()(x))
    x = keras.layers.ReLU()(keras.layers.BatchNormalization(epsilon=1e-5)(x))
    return keras.Model(inputs, keras.layers.Dense(10)(x))


def resnet56():
    inputs = keras.Input((32, 32, 3))
    x = unit(inputs, 16)
    for width in (16, 32, 64):
        for block in range(9):
            grows = width > 16 and block == 0
            residual = unit(unit(x, width, 2 if grows else 1), width, relu=False)
            if grows:
                x = x[:, ::2, ::2]
                x = keras.layers.Concatenate()([x, keras.ops.zeros_like(x)])
            x = keras.layers.ReLU()(keras.layers.Add()([x, residual]))
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, keras.layers.Dense(10)(x))
