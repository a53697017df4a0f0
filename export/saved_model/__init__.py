"""SavedModels for TensorFlow Serving: signatures, warm-up records, layout, a session like its."""

from keras_ghostnet.export.saved_model.conversion import export, load

__all__ = ["export", "load"]
