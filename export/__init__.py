"""From a Keras model to what devices and servers run, and predictions of either."""

import lazy_loader

# Loaded on demand: most of it brings TensorFlow, some tf_keras and TFMOT.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
