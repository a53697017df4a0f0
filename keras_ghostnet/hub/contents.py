"""What goes into a repository: the model, what is derived from it, and what was proven of it."""

import dataclasses
import json
import os
import pathlib

import keras

from keras_ghostnet import builder, files, model_input
from keras_ghostnet.export import class_names, sidecar
from keras_ghostnet.hub import card
from keras_ghostnet.model_reference import BEST, ModelReference
from keras_ghostnet.precision import in_float32
from keras_ghostnet.training.heads import is_of_pixels
from keras_ghostnet.training.run_folder import CURVE, HISTORY, METRICS
from keras_ghostnet.weights import identify_checkpoint
from keras_ghostnet.weights.hub_config import Published, timm_config
from keras_ghostnet.weights.torch_tensors import is_in_timm, torch_tensors, write_safetensors

CARD, CONFIG, WEIGHTS = "README.md", "config.json", "model.safetensors"
EXPORTS = "exports"  # the folder of artifacts, in a run's folder and in the repository


@dataclasses.dataclass(frozen=True)
class Contents:
    """The files of a repository.

    Attributes:
        paths: From their names in the repository to where they lie.
        notes: What the user should know of them, lines of text.
    """

    paths: dict[str, pathlib.Path]
    notes: list[str]


def collect(
    reference: ModelReference,
    folder: pathlib.Path,
    repository: str,
    artifacts: str | os.PathLike[str] | None,
    license: str | None,
) -> Contents:
    """Gathers the files of a model, and writes those that are derived.

    Args:
        reference: Of a run's folder or a `.keras` file.
        folder: For what is written.
        repository: `"ORG/NAME"`.
        artifacts: As `push`.
        license: As `push`.

    Raises:
        FileNotFoundError: If a folder of artifacts was named and holds none.
        ValueError: If the model is no classifier of images or pixels, or artifacts are not its own.
    """
    model_path = pathlib.Path(reference.origin or "")
    model = reference.load()
    if any(None in tensor.shape[1:3] for tensor in model.inputs):
        model = builder.with_image_size(model, reference.transform.size)
    class_names.require_classifier(model, of_pixels=True)
    labels = class_names.labels_for(model, reference.labels)
    takes = model_input.resolve_input(model)
    paths, notes = {BEST: model_path}, []
    of_pixels = is_of_pixels(model)
    spec = None if of_pixels else _spec(model_path)
    published = Published(
        path=repository,
        architecture=spec.name if spec else model.name,
        classes=len(labels),
        labels=labels,
        size=model.input_shape[1],
        crop=reference.crop,
    )
    tensors = None
    if spec and takes == model_input.NORMALIZED and model.output_shape[-1] == len(labels):
        tensors = torch_tensors(spec, {weight.path: weight.numpy() for weight in model.weights})
    if tensors is None:
        notes.append(f"{WEIGHTS} is left out: PyTorch has no names for this network's weights.")
    else:
        paths[WEIGHTS] = folder / WEIGHTS
        write_safetensors(paths[WEIGHTS], tensors)
    paths[CONFIG] = folder / CONFIG
    config = timm_config(published, spec if tensors else None)
    paths[CONFIG].write_text(json.dumps(config, indent=2) + "\n", "utf-8")
    for name in (METRICS, HISTORY, CURVE):
        if reference.recipe and (model_path.parent / name).is_file():
            paths[name] = model_path.parent / name
    exported = artifacts_of(model_path.parent, artifacts, model)
    paths |= exported.paths
    paths[CARD] = folder / CARD
    paths[CARD].write_text(
        card.render(
            repository=repository,
            published=published,
            parameters=model.count_params(),
            takes=takes,
            of_pixels=of_pixels,
            recipe=reference.recipe,
            metrics=_metrics(paths.get(METRICS)),
            has_curve=CURVE in paths,
            artifacts=exported.sidecars,
            has_weights=tensors is not None,
            in_timm=spec is not None and tensors is not None and is_in_timm(spec),
            license=license,
        ),
        "utf-8",
    )
    return Contents(paths, notes + exported.notes)


def _spec(path):
    """The specification of a file's network; None of a network of the user's own."""
    try:
        return identify_checkpoint(path).spec
    except ValueError:
        return None


@dataclasses.dataclass(frozen=True)
class Artifacts:
    """Paths by name in the repository, contents of sidecars by name, and lines for the user."""

    paths: dict[str, pathlib.Path] = dataclasses.field(default_factory=dict)
    sidecars: dict[str, dict] = dataclasses.field(default_factory=dict)
    notes: list[str] = dataclasses.field(default_factory=list)


def artifacts_of(
    run: pathlib.Path, given: str | os.PathLike[str] | None, model: keras.Model
) -> Artifacts:
    """The verified artifacts of a model, with their sidecars and the models beside them.

    Args:
        run: The folder of the model's file.
        given: The folder of the artifacts; None takes `exports` in `run`, if there is one.
        model: The model.

    Raises:
        FileNotFoundError: If there are none in a folder that was given.
        ValueError: If they are of another model, or not as they were verified.
    """
    folder = pathlib.Path(given) if given is not None else run / EXPORTS
    found = sidecar.find_artifacts(folder) if folder.is_dir() else {}
    if not found:
        if given is not None:
            raise FileNotFoundError(
                f"{folder} holds no artifacts with sidecars, as `ghostnet export` makes them."
            )
        return Artifacts()
    digest = sidecar.model_hash(in_float32(model))
    result = Artifacts()
    for artifact, content in found.items():
        _require_own(artifact, content, digest, run)
        beside = [sidecar.path_of(artifact), folder / content["source"]["file"]]
        inside = sorted(artifact.rglob("*")) if artifact.is_dir() else [artifact]
        for path in (*inside, *beside):
            if path.is_file():
                result.paths[f"{EXPORTS}/{path.relative_to(folder).as_posix()}"] = path
        result.sidecars[artifact.relative_to(folder).as_posix()] = content
    origins = {str(content["source"].get("origin")) for content in found.values()}
    origins |= {str(c["verification"]["origin"].get("data")) for c in found.values()}
    local = sorted(origin for origin in origins if os.path.isabs(origin))
    if local:
        result.notes.append(f"The artifacts' sidecars name {' and '.join(local)} of this machine.")
    return result


def _require_own(artifact, content, digest, run):
    source = content["source"]
    if source["sha256"] != digest:
        file = run / pathlib.PurePath(str(source.get("origin"))).name
        other = f" (`ghostnet push {file}` uploads that one)" if file.is_file() else ""
        raise ValueError(
            f"{artifact} was exported from another model than this one{other}. Export again, or "
            "name another folder of artifacts."
        )
    if not artifact.exists() or sidecar.artifact_hash(artifact) != content["sha256"]:
        raise ValueError(
            f"{artifact} is not the file that was verified: its SHA-256 differs from the one in "
            f"{sidecar.path_of(artifact).name}. Export again."
        )


def _metrics(path):
    if path is None:
        return {}
    content = json.loads(files.read_text(path))
    return content if isinstance(content, dict) else {}


def require_pushable(reference: ModelReference) -> None:
    """Refuses what is no model of one's own.

    Raises:
        ValueError: If it is a published model, or one of the hub.
    """
    if (
        reference.repository is not None
        or not reference.origin
        or not os.path.isfile(reference.origin)
    ):
        raise ValueError(
            f"{reference.text} is published already. Push a run's folder or a .keras file."
        )
