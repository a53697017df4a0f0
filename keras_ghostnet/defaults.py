"""Keras' global settings while the verbs work: channels last, float32."""

import contextlib
from collections.abc import Iterator


def set_keras_defaults() -> tuple[str, str, object]:
    """Sets the image data format, the float type and the dtype policy, in the whole process.

    Returns:
        The settings that were in force before, in that order.
    """
    from keras import config  # not at the head of this file: the command answers before Keras

    before = config.image_data_format(), config.floatx(), config.dtype_policy()
    _set("channels_last", "float32", "float32")
    return before


@contextlib.contextmanager
def keras_defaults() -> Iterator[None]:
    """Takes Keras' defaults within the body, or the decorated function, whatever is set.

    `keras.json` and `keras.config` may ask for channels first, or for float16 or float64. The
    input pipelines, exports and measurements are made for channels last and float32; a recipe's
    precision is its own. What was set before is put back.
    """
    before = set_keras_defaults()
    try:
        yield
    finally:
        _set(*before)


def _set(image_data_format, floatx, dtype_policy):
    from keras import config

    config.set_image_data_format(image_data_format)
    config.set_floatx(floatx)
    config.set_dtype_policy(dtype_policy)
