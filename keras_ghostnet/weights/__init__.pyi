from .registry import REGISTRY, Transform, WeightsEntry
from .source import Source, read
from .transfer import assign, check

__all__ = ["REGISTRY", "Source", "Transform", "WeightsEntry", "assign", "check", "read"]
