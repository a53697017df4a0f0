"""Image data: where it comes from, TFRecords of it, and the batches that training takes."""

from keras_ghostnet.training.data.arrays import to_arrays
from keras_ghostnet.training.data.augmentation import Augmentation
from keras_ghostnet.training.data.pipeline import Pipeline
from keras_ghostnet.training.data.records import make_records
from keras_ghostnet.training.data.sources import Source, open_source

__all__ = [
    "Augmentation",
    "Pipeline",
    "Source",
    "make_records",
    "open_source",
    "to_arrays",
]
