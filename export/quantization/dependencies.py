"""TensorFlow Model Optimization and tf_keras, which are optional."""

import os

from keras_ghostnet import extras

PACKAGES = ("tf_keras", "tensorflow_model_optimization")
LEGACY = "TF_USE_LEGACY_KERAS"


def require_tfmot():
    """Refuses to start without tf_keras and TFMOT.

    Raises:
        ImportError: If one of them is not installed.
    """
    extras.require(*PACKAGES, purpose="Quantization-aware training", extra="quantize")


def load_tfmot():
    """TFMOT, imported without what it does to the process: it makes `tf.keras` tf_keras."""
    import tensorflow as tf

    tf.keras.version()  # decides now what `tf.keras` is
    before = os.environ.get(LEGACY)
    import tensorflow_model_optimization as tfmot

    os.environ.pop(LEGACY, None)
    if before is not None:
        os.environ[LEGACY] = before
    return tfmot
