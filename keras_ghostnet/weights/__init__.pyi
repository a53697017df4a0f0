from .catalog import REGISTRY, Transform, WeightsEntry
from .identification import IdentifiedCheckpoint, identify_checkpoint
from .transfer import assign_weights, require_fit

__all__ = [
    "REGISTRY",
    "IdentifiedCheckpoint",
    "Transform",
    "WeightsEntry",
    "assign_weights",
    "identify_checkpoint",
    "require_fit",
]
