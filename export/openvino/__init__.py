"""OpenVINO's IR, for Intel's processors: float32, and int8 by NNCF."""

import lazy_loader

# Loaded on demand: what runs a file does without Keras, which what writes one brings.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
