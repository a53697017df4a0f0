"""The folder that artifacts go to: checked before long work."""

import pathlib
import shutil

from keras_ghostnet.export import sidecar

FACTOR = 3  # of the weights' bytes that an artifact and its forerunner take together, at most


def check_space(folder, model):
    """Refuses a disk that the artifacts would fill.

    Raises:
        OSError: If it has less room than three times the weights.
    """
    needed = FACTOR * 4 * model.count_params()
    folder = pathlib.Path(folder).absolute()
    free = shutil.disk_usage(next(part for part in (folder, *folder.parents) if part.exists())).free
    if free < needed:
        raise OSError(
            f"{folder} has {free / 1e6:.1f} MB left; the export needs about {needed / 1e6:.1f} MB. "
            "Make room, or choose another folder (--out)."
        )


def check_version(folder, name, version):
    """Refuses a version of a SavedModel that exists.

    Raises:
        FileExistsError: If there is one of that number.
    """
    from keras_ghostnet.export.saved_model import layout  # it brings TensorFlow

    if version in layout.versions(pathlib.Path(folder) / name):
        raise FileExistsError(
            f"{folder} has a version {version} of {name}, which is not overwritten: a server may "
            "be using it. Choose another number, or none to take the next."
        )


def require_same_origin(folder, network, origin, fmts):
    """Refuses to replace artifacts of another model of the same name.

    Those of the same origin are replaced, as after more training; so are those of models in
    memory by models in memory. A SavedModel is a new version, which replaces nothing.

    Args:
        folder: Where the artifacts go.
        network: The Keras model.
        origin: Where it is from, `ModelReference.origin`.
        fmts: The `Format`s to export.

    Raises:
        FileExistsError: If there are such artifacts.
    """
    replaced = {f"{network.name}{fmt.suffix}" for fmt in fmts if fmt.name != "saved_model"}
    found, digest = [], None
    for path, content in sidecar.find_artifacts(folder).items():
        source = content["source"]
        if path.name in replaced and path.exists() and source.get("origin") != origin:
            digest = digest or sidecar.model_hash(network)
            if source["sha256"] != digest:
                found.append(f"{path.name} of {source.get('origin') or 'a model in memory'}")
    if found:
        raise FileExistsError(
            f"{folder} holds artifacts of another model called {network.name}: {', '.join(found)}. "
            "Choose another folder (--out), or replace them with --replace."
        )


def model_file(folder, name, digest):
    """The name of the file that keeps a model beside its artifacts.

    Args:
        folder: Where the artifacts are.
        name: The model's.
        digest: Its `sidecar.model_hash`.

    Returns:
        `NAME.keras`; with a part of the hash if artifacts are there that are verified with another
        model of that file.
    """
    usual = f"{name}.keras"
    sources = [content["source"] for content in sidecar.find_artifacts(folder).values()]
    if all(source["sha256"] == digest for source in sources if source["file"] == usual):
        return usual
    return f"{name}-{digest[:8]}.keras"


def model_files(folder):
    """The files, a set of paths, that the artifacts of a folder are verified with."""
    folder = pathlib.Path(folder)
    return {
        folder / content["source"]["file"] for content in sidecar.find_artifacts(folder).values()
    }
