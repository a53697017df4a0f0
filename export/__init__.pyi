from .artifact_classifier import open_teacher
from .artifact_folder import verify
from .artifacts import ArtifactError, ArtifactResult
from .exporting import export
from .graph import deploy, for_tracing
from .layerwise import LayerError, compare_layers
from .prediction import Prediction, predict
from .quantization import prune, quantize_aware, to_tf_keras
from .verification import Verification, VerificationError

__all__ = [
    "ArtifactError",
    "ArtifactResult",
    "LayerError",
    "Prediction",
    "Verification",
    "VerificationError",
    "compare_layers",
    "deploy",
    "export",
    "for_tracing",
    "open_teacher",
    "predict",
    "prune",
    "quantize_aware",
    "to_tf_keras",
    "verify",
]
