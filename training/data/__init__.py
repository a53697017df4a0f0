"""Image data: where it comes from, TFRecords of it, and the batches that training takes."""

import lazy_loader

# Loaded on demand: recipes need no TensorFlow to be listed.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
