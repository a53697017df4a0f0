"""The JSON file beside an artifact: what it is, what it was made of, how it was proven."""

import hashlib
import json
import pathlib

import numpy as np

from keras_ghostnet import files

SUFFIX = ".json"
VERIFIED = "verification"  # a key of the sidecars of artifacts that were verified
PACKAGES = (
    "keras_ghostnet", "keras", "tensorflow", "numpy", "ai-edge-litert", "onnx", "onnxruntime",
    "tf2onnx", "tensorrt", "tensorflow-model-optimization",
)  # fmt: skip
CHUNK = 1 << 20


def path_of(artifact):
    """Where the sidecar of an artifact is: beside it, with `.json` added to its name."""
    artifact = pathlib.Path(artifact)
    return artifact.with_name(artifact.name + SUFFIX)


def write(artifact, content, path):
    """Writes the sidecar of an artifact.

    Args:
        artifact: The artifact's file or folder.
        content: A dictionary of what JSON can hold; hash and size of the artifact are added.
        path: The file to create.
    """
    artifact = pathlib.Path(artifact)
    content = {"sha256": artifact_hash(artifact), "bytes": files.size(artifact), **content}
    pathlib.Path(path).write_text(json.dumps(content, indent=2) + "\n", "utf-8")


def read(path):
    """The content of a sidecar; None if a file is none.

    Raises:
        OSError: If it cannot be read.
    """
    try:
        content = json.loads(pathlib.Path(path).read_text("utf-8"))
    except ValueError:
        return None
    return content if isinstance(content, dict) and {"format", "source"} <= set(content) else None


def find_artifacts(folder):
    """The artifacts that `ghostnet export` put into a folder: a dictionary of paths and sidecars.

    Of SavedModels, those of all versions. What a run keeps for its own exports is left out.
    """
    folder = pathlib.Path(folder)
    paths = sorted({*folder.glob("*.json"), *folder.glob("*/*.json")})
    contents = {path.with_name(path.stem): read(path) for path in paths}
    return {path: content for path, content in contents.items() if content and VERIFIED in content}


def require(artifact):
    """The content of an artifact's sidecar.

    Raises:
        FileNotFoundError: If the artifact or its sidecar is missing.
        ValueError: If the file beside it is no sidecar.
    """
    artifact, path = pathlib.Path(artifact), path_of(artifact)
    if not artifact.exists():
        raise FileNotFoundError(f"There is no artifact {artifact}. Check the path.")
    if not path.is_file():
        raise FileNotFoundError(
            f"{artifact} has no {path.name} beside it, which holds its labels and preprocessing. "
            "Keep both together, or export the model again with `ghostnet export`."
        )
    content = read(path)
    if content is None or "outputs_are" not in content:
        raise ValueError(
            f"{path} does not describe {artifact.name}: it is not as `ghostnet export` writes it "
            "today. Export the model again."
        )
    return content


def artifact_hash(path):
    """SHA-256 of a file; of a folder, of its files' names and hashes.

    Returns:
        Hexadecimal digits.
    """
    path, digest = pathlib.Path(path), hashlib.sha256()
    if path.is_dir():
        for part in sorted(part for part in path.rglob("*") if part.is_file()):
            digest.update(f"{part.relative_to(path).as_posix()} {artifact_hash(part)}\n".encode())
        return digest.hexdigest()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def model_hash(model):
    """SHA-256 of a Keras model: of its layers, and of names, types and values of its weights.

    It is the same for the model that its `.keras` file gives.

    Returns:
        Hexadecimal digits.
    """
    digest = hashlib.sha256()
    for layer in model._flatten_layers(include_self=False):
        digest.update(f"{type(layer).__name__} {layer.name}\n".encode())
    for weight in model.weights:
        values = np.ascontiguousarray(weight.numpy())
        digest.update(f"{weight.path} {values.dtype} {values.shape}\n".encode())
        digest.update(values.tobytes())
    return digest.hexdigest()
