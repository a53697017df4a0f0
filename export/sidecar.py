"""The JSON file beside an artifact: what it is, what it was made of, how it was proven."""

import contextlib
import hashlib
import json
import os
import pathlib

import numpy as np

from keras_ghostnet import files

SUFFIX = ".json"
VERIFIED = "verification"  # a key of the sidecars of artifacts that were verified
PACKAGES = (
    "keras_ghostnet", "keras", "tensorflow", "numpy", "ai-edge-litert", "onnx", "onnxruntime",
    "tf2onnx", "openvino", "nncf", "ncnn", "pnnx", "MNN", "tensorrt",
    "tensorflow-model-optimization",
)  # fmt: skip
CHUNK, LARGEST = 1 << 20, 1 << 26  # bytes: read at once, and of a sidecar at most

TEXT, WHOLE, NUMBER, YES = (str,), (int,), (int, float), (bool,)
_TENSOR = {
    "name": TEXT, "shape": [(int, type(None))], "dtype": TEXT, "scale?": NUMBER,
    "zero_point?": WHOLE,
}  # fmt: skip
_IMAGES = {"source": TEXT, "images": WHOLE, "training_images?": WHOLE, "sha256": TEXT}
_ORIGIN = {
    "data?": TEXT, "split?": TEXT, "crop?": NUMBER, "seed?": WHOLE, "count?": WHOLE,
    "training?": WHOLE, "unlabeled?": TEXT,
}  # fmt: skip
# What leads to images again: of files, of a source; those of arrays in memory say nothing.
ORIGINS = ({"unlabeled", "crop"}, {"data", "split", "crop", "seed", "count"})
_EXPORTED = {  # what those of exports have, and a run's trained file has not
    "inputs?": [_TENSOR],
    "outputs?": [_TENSOR],
    "outputs_are": TEXT,
    "labels_are": TEXT,
    "labels": [TEXT],
    "calibration": (dict, type(None)),
    "preprocessing": {
        "size": [WHOLE], "crop": NUMBER, "normalization_in_artifact": YES,
        "mean": (list, type(None)), "std": (list, type(None)),
    },
    "verification": {
        "max_error": NUMBER, "typical_error": NUMBER, "cosine": NUMBER, "agreement": NUMBER,
        "accuracy": (*NUMBER, type(None)), "flips": WHOLE, "close_flips": WHOLE, **_IMAGES,
        "mean_iou?": (*NUMBER, type(None)),
        "p_value": NUMBER, "arithmetic?": (str, type(None)), "origin": _ORIGIN,
    },
}  # fmt: skip
# Types of what is read again; a question mark for what may be missing.
SCHEMA = {
    "checksum": TEXT,
    "sha256": TEXT,
    "bytes": WHOLE,
    "format": TEXT,
    "options": (dict,),
    "source": {
        "model": TEXT, "sha256": TEXT, "origin?": (str, type(None)), "input?": TEXT, "file?": TEXT,
        "parameters?": WHOLE,
    },
}  # fmt: skip


def path_of(artifact):
    """Where the sidecar of an artifact is: beside it, with `.json` added to its name."""
    artifact = pathlib.Path(artifact)
    return artifact.with_name(artifact.name + SUFFIX)


def write(artifact, content, path):
    """Writes the sidecar of an artifact.

    Args:
        artifact: The artifact's file or folder.
        content: A dictionary of what JSON can hold; hash and size of the artifact are added, and
            a checksum of it all.
        path: The file to create.
    """
    artifact = pathlib.Path(artifact)
    measured = {"sha256": artifact_hash(artifact), "bytes": files.size(artifact)}
    content = {**measured, **content, **measured}
    content["checksum"] = checksum(content)
    pathlib.Path(path).write_text(json.dumps(content, indent=2) + "\n", "utf-8")


def checksum(content):
    """SHA-256 of a sidecar's content but for its checksum, however the file is formatted.

    Of the JSON text with sorted keys, without spaces, and in ASCII.

    Returns:
        Hexadecimal digits.
    """
    rest = {key: value for key, value in content.items() if key != "checksum"}
    text = json.dumps(rest, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def read(path):
    """The content of a sidecar.

    Raises:
        OSError: If it cannot be read.
        ValueError: If a file is none, or was changed; the message says how.
    """
    path = pathlib.Path(path)
    if not path.is_file() or path.stat().st_size > LARGEST:
        raise ValueError(f"{path.name} is no file of at most {LARGEST >> 20} MB.")
    try:
        content = json.loads(path.read_bytes().decode("utf-8"))
        _conform(content, SCHEMA, "")
        if VERIFIED in content:
            _conform(content, _EXPORTED, "")
            file = content["source"].get("file", "")
            if file != pathlib.PurePath(file).name or not file.endswith(".keras"):
                raise ValueError(f"source.file is {file!r}, expected a .keras file beside it")
            preparation = content["preprocessing"]
            if not 0 < preparation["crop"] <= 1 or len(preparation["size"]) != 2:
                raise ValueError("preprocessing.crop or size is none")
            origin = set(content[VERIFIED]["origin"])
            if origin and not any(kind <= origin for kind in ORIGINS):
                raise ValueError("verification.origin says too little of where the images are from")
        fits = content["checksum"] == checksum(content)
    except (ValueError, RecursionError) as error:
        raise ValueError(
            f"{path.name} is not as `ghostnet export` writes it today: {error}. Export again."
        ) from None
    if not fits:
        raise ValueError(f"{path.name} was changed: its checksum is another. Export again.")
    return content


def _conform(value, schema, place):
    """Refuses a value that is not of a schema: see `SCHEMA`."""
    if isinstance(schema, dict):
        _conform(value, (dict,), place)
        for name, inner in schema.items():
            key = name.rstrip("?")
            if key in value:
                _conform(value[key], inner, f"{place}{'.' if place else ''}{key}")
            elif key == name:
                raise ValueError(f"{place or 'it'} has no {key!r}")
    elif isinstance(schema, list):
        _conform(value, (list,), place)
        for one in value:
            _conform(one, schema[0], f"an entry of {place}")
    elif type(value) not in schema:
        expected = " or ".join(kind.__name__ for kind in schema)
        raise ValueError(f"{place or 'it'} is a {type(value).__name__}, expected {expected}")


def find_artifacts(folder):
    """The artifacts that `ghostnet export` put into a folder: a dictionary of paths and sidecars.

    Of SavedModels, those of all versions. What a run keeps for its own exports is left out, and so
    is what cannot be read.
    """
    folder, found = pathlib.Path(folder), {}
    for path in sorted({*folder.glob("*.json"), *folder.glob("*/*.json")}):
        with contextlib.suppress(OSError, ValueError):
            content = read(path)
            if VERIFIED in content:
                found[path.with_name(path.stem)] = content
    return found


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
    if VERIFIED not in content:
        raise ValueError(
            f"{path} does not describe {artifact.name}: it is of a file that was never exported. "
            "Export the model again."
        )
    return content


def artifact_hash(path):
    """SHA-256 of a file; of a folder, of its files' names and hashes.

    Returns:
        Hexadecimal digits.

    Raises:
        ValueError: If it is, or holds, something else, such as a device, or a link in a folder.
    """
    path, digest = pathlib.Path(path), hashlib.sha256()
    if path.is_dir():
        for part in sorted(_parts(path)):
            digest.update(f"{part.relative_to(path).as_posix()} {artifact_hash(part)}\n".encode())
        return digest.hexdigest()
    if not path.is_file():
        raise ValueError(f"{path} is neither a file nor a folder.")
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _parts(folder):
    """The files of a folder, of any depth."""
    for place, folders, names in os.walk(folder):
        for name in (*folders, *names):
            part = pathlib.Path(place, name)
            if part.is_symlink():
                raise ValueError(f"{part} is a link. Put the file itself there.")
        yield from (pathlib.Path(place, name) for name in names)


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
