"""What TensorFlow reads of a source."""

import tensorflow as tf


def loaded(source, index):
    """Bytes and label of an example, a list."""
    fetched = source.reader.fetch(tf.constant([index]))
    fetched = tf.nest.map_structure(lambda values: values[0], fetched)
    return [value.numpy() for value in source.reader.load(index, fetched)]
