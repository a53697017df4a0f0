from .artifact_folder import verify
from .artifacts import ArtifactError, ArtifactResult
from .exporting import export
from .graph import deploy, for_tracing
from .prediction import Prediction, predict
from .quantization import prune, quantize_aware, to_tf_keras
from .verification import Verification, VerificationError

__all__ = [
    "ArtifactError",
    "ArtifactResult",
    "Prediction",
    "Verification",
    "VerificationError",
    "deploy",
    "export",
    "for_tracing",
    "predict",
    "prune",
    "quantize_aware",
    "to_tf_keras",
    "verify",
]
