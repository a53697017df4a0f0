"""The optional packages that this part needs."""

import importlib.util
import os

PACKAGES = ("tf_keras", "tensorflow_model_optimization")
LEGACY = "TF_USE_LEGACY_KERAS"


def check():
    """Tells at once whether something is missing.

    Raises:
        ImportError: If tf_keras or TFMOT is not installed.
    """
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise ImportError(
            f"Quantization-aware training and pruning need {' and '.join(missing)}. "
            'Install with: pip install "keras_ghostnet[quantize]"'
        )


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
