"""ncnn: float32 and float16, for phones and boards."""

import lazy_loader

# Loaded on demand: what runs a file does without Keras, which what writes one brings.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
