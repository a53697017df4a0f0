from .conversion import export
from .runtime import load, ran_in

__all__ = ["export", "load", "ran_in"]
