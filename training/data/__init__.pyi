from .arrays import to_arrays
from .augmentation import Augmentation
from .pipeline import Pipeline
from .records import make_records
from .sources import ImageSource, open_source, require_same_classes

__all__ = [
    "Augmentation",
    "ImageSource",
    "Pipeline",
    "make_records",
    "open_source",
    "require_same_classes",
    "to_arrays",
]
