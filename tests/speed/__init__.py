"""Benchmarks: `python -m tests.speed.NAME`.

The package starts TensorFlow quietly for them, before a module imports it aloud.
"""

import keras_ghostnet  # noqa: F401
