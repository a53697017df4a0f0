from .arrays import to_arrays
from .augmentation import Augmentation
from .pipeline import Pipeline
from .records import make_records
from .sources import Source, open_source

__all__ = [
    "Augmentation",
    "Pipeline",
    "Source",
    "make_records",
    "open_source",
    "to_arrays",
]
