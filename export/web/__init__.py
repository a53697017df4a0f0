"""A page that runs the model in any browser: LiteRT.js, and what a static server serves."""

import lazy_loader

# Loaded on demand: what runs a file does without Keras, which what writes one brings.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
