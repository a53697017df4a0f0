"""Where the order of a layer's channels may change: what reads them, and how it follows."""

import keras
import numpy as np

from keras_ghostnet.ghosting.selection import PLAIN, activation_of
from keras_ghostnet.layers.convolution import channel_axis

# Layers that treat every channel alike, and by itself.
CHANNELWISE = (
    keras.layers.AveragePooling2D,
    keras.layers.Cropping2D,
    keras.layers.Dropout,
    keras.layers.Flatten,
    keras.layers.GlobalAveragePooling2D,
    keras.layers.GlobalMaxPooling2D,
    keras.layers.Identity,
    keras.layers.LeakyReLU,
    keras.layers.MaxPooling2D,
    keras.layers.ReLU,
    keras.layers.SpatialDropout2D,
    keras.layers.UpSampling2D,
    keras.layers.ZeroPadding2D,
)
MIXING = (*PLAIN, keras.layers.Dense)


def find_readers(calls, layer, data_format):
    """The layers whose weights depend on the order of a layer's channels.

    Args:
        calls: The `Calls` of the model.
        layer: The layer, of maps.
        data_format: Of the maps.

    Returns:
        A list of layers, up to those that mix the channels; None if something else depends on the
        order: an addition, a concatenation, an output, a layer that is called elsewhere too.
    """
    found, pending = [], [layer]
    if len(calls.of(layer)) != 1:
        return None
    while pending:
        for node in calls.readers(pending.pop()):
            if node is None or len(calls.of(node.operation)) != 1 or len(node.input_tensors) != 1:
                return None
            reader, rank = node.operation, len(node.input_tensors[0].shape)
            axis = 1 if rank == 2 else channel_axis(data_format) % rank
            if not _is_channelwise(reader, axis, rank, data_format):
                return None
            if getattr(reader, "weights", None):
                found.append(reader)
            if not isinstance(reader, MIXING):
                pending.append(reader)
    return found


def _is_channelwise(reader, axis, rank, data_format):
    """Whether a layer treats each channel by itself, or mixes them by weights for each."""
    if getattr(reader, "data_format", data_format) != data_format:
        return False
    if isinstance(reader, keras.layers.BatchNormalization):
        return reader.axis % rank == axis
    if isinstance(reader, keras.layers.DepthwiseConv2D):
        return reader.depth_multiplier == 1
    if type(reader) is keras.layers.Dense:
        return axis == rank - 1
    if type(reader) in PLAIN:
        return reader.groups == 1
    return isinstance(reader, CHANNELWISE) or activation_of(reader) is not None


def reorder(reader, arrays, order):
    """A reader's weights for channels in another order.

    Args:
        reader: Of `find_readers`.
        arrays: Its weights.
        order: The earlier number of each channel.

    Returns:
        A list of arrays.
    """
    first, *others = arrays
    axis = 2 if first.ndim == 4 else 0  # that of a kernel's inputs, or the only one
    places = first.shape[axis] // len(order)  # from which the same channel was flattened
    order = (np.arange(places)[:, None] * len(order) + order).ravel()
    if not isinstance(reader, MIXING):
        others = [array[order] for array in others]
    return [np.take(first, order, axis), *others]
