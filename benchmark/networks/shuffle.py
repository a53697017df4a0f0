"""Channels without weights: split, selected, shuffled and concatenated.

Maps are of a size that is known when the network is built, so that no shape is computed when it
runs: XNNPACK takes all of this but the selection.
"""

import keras

from keras_ghostnet.layers.convolution import channel_axis


def split(x, ends):
    """The channels up to each end, and those after the last; one number makes equal parts."""
    return keras.ops.split(x, ends, axis=_axis())


def select(x, channels):
    """Some of the channels, a list of their places, in that order."""
    return keras.ops.take(x, channels, axis=_axis())


def concatenate(tensors, name):
    """The channels of all tensors."""
    return keras.layers.Concatenate(_axis(), name=name)(tensors)


def channel_shuffle(x, groups, name):
    """Takes the first channel of every group, then the second of every group, and so on.

    Args:
        x: A Keras tensor, a batch of maps.
        groups: An integer that divides the channels.
        name: What the layers' names begin with.
    """
    _, *shape = x.shape
    return keras.layers.Reshape(shape, name=f"{name}_ungroup")(_transposed(x, groups, name))


def shuffled_halves(x, name):
    """The two halves of the channels of `channel_shuffle(x, 2)`.

    They are split while transposed: of the channels of maps alone deployment would make slices.

    Args:
        x: A Keras tensor, a batch of maps.
        name: What the layers' names begin with.

    Returns:
        Two Keras tensors.
    """
    axis, (_, *shape) = _axis(), x.shape
    shape[axis - 1] //= 2
    halves = keras.ops.split(_transposed(x, 2, name), 2, axis=axis)
    return [
        keras.layers.Reshape(shape, name=f"{name}_half{number}")(half)
        for number, half in enumerate(halves, start=1)
    ]


def _transposed(x, groups, name):
    """Maps with two axes for the channels: the place within a group, then the group."""
    axis, (_, *shape) = _axis(), x.shape
    shape[axis - 1 : axis] = groups, shape[axis - 1] // groups
    order = [1, 2, 3, 4]
    order[axis - 1 : axis + 1] = axis + 1, axis
    x = keras.layers.Reshape(shape, name=f"{name}_group")(x)
    return keras.layers.Permute(order, name=f"{name}_transpose")(x)


def _axis():
    """The axis of the channels, counted from the front."""
    return channel_axis(keras.config.image_data_format()) % 4
