from .conversion import export
from .runtime import load

__all__ = ["export", "load"]
