"""The folder that artifacts go to: checked before long work."""

import os
import pathlib
import shutil

FACTOR = 3  # of the weights' bytes that an artifact and its forerunner take together, at most


def check_writable(folder):
    """Makes a folder, and a file in it for a moment.

    Raises:
        OSError: If it cannot be written to.
    """
    folder = pathlib.Path(folder)
    probe = folder / f".partial-{os.getpid()}-probe"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        raise type(error)(
            f"{folder} cannot be written to: {error.strerror}. Choose another folder (--out)."
        ) from error


def check_space(folder, model):
    """Refuses a disk that the artifacts would fill.

    Raises:
        OSError: If it has less room than three times the weights.
    """
    needed = FACTOR * 4 * model.count_params()
    free = shutil.disk_usage(folder).free
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
