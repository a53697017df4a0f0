"""From a Keras model to what devices and servers run."""

import importlib

# Loaded when they are asked for: they bring tf_keras and TFMOT along.
LAZY = dict.fromkeys(
    ("quantize_aware", "prune", "to_tf_keras"), "keras_ghostnet.export.quantization"
)
LAZY |= dict.fromkeys(("deploy", "for_tracing"), "keras_ghostnet.export.deployment")

__all__ = sorted(LAZY)


def __getattr__(name):
    if name not in LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(LAZY[name]), name)
