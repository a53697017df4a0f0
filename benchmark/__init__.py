"""What measures: the paper's table, profiles, emulated ARM, the quickstart and its report."""

import lazy_loader

# Loaded on demand: most of it brings TensorFlow, LiteRT or matplotlib.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
