from .conversion import export, load

__all__ = ["export", "load"]
