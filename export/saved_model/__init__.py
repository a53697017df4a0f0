"""SavedModels for TensorFlow Serving: signatures, warm-up records, layout, a session like its."""

import lazy_loader

# Loaded on demand: what runs a SavedModel does without Keras, which what writes one brings.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
