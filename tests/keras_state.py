"""Settings of Keras for the length of a test: they belong to the process and are put back."""

import contextlib

import keras


@contextlib.contextmanager
def dtype_policy(name):
    """Sets Keras' dtype policy within the body."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


@contextlib.contextmanager
def image_data_format(name):
    """Sets Keras' image data format within the body."""
    before = keras.config.image_data_format()
    keras.config.set_image_data_format(name)
    try:
        yield
    finally:
        keras.config.set_image_data_format(before)
