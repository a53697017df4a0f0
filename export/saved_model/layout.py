"""The folder that TensorFlow Serving is pointed to: models, their versions, and its settings.

ROOT/models.config                     which models there are
ROOT/batching.config                   how requests are merged
ROOT/NAME/VERSION/                     a SavedModel with warm-up records
"""

import pathlib

from google.protobuf import text_format

from keras_ghostnet import files
from keras_ghostnet.export.saved_model import conversion, warmup
from keras_ghostnet.export.saved_model.protos import model_server_config_pb2

MODELS, BATCHING = "models.config", "batching.config"
MOUNT = pathlib.PurePosixPath("/models")  # where the server's container sees the folder
# 32 images take a CPU some hundred milliseconds: nobody waits for a batch much longer than that.
BATCHING_PARAMETERS = """\
max_batch_size { value: 32 }
batch_timeout_micros { value: 2000 }
max_enqueued_batches { value: 64 }
"""


def export_version(model, root, *, version=None, check=None, **options):
    """Exports a model as a new version, and enters it into the server's settings.

    A version appears whole or not at all, so that a running server may watch the folder. Settings
    that exist are kept: a model is added to them if it is new.

    Args:
        model: As `conversion.export`; its name is the served model's.
        root: The folder of all models.
        version: A number from 1 that is not taken; None takes the next one.
        check: Function of the complete folder, called before a server can see it; what it raises
            leaves everything as it was. None checks nothing.
        **options: As `keras_ghostnet.export.saved_model.signatures.signatures`.

    Returns:
        The version's folder, a `pathlib.Path`.

    Raises:
        FileExistsError: If there is this version.
        ValueError: If the model, an option or the `models.config` that exists cannot be used.
        OSError: If the folder cannot be written.
    """
    root = pathlib.Path(root)
    config = _config(root, model.name)  # an error in it is reported before long work
    if version is None:
        version = max(versions(root / model.name), default=0) + 1
    elif version < 1:
        raise ValueError(f"`version` must be at least 1. Received: version={version}.")
    path = root / model.name / str(version)
    _check_free(path)
    with files.replacing(path) as partial:
        conversion.export(model, partial, **options)
        warmup.write(partial, model.name)
        if check:
            check(partial)
        _check_free(path)  # another process may have taken it meanwhile
    _write(root / MODELS, config)
    if not (root / BATCHING).exists():
        _write(root / BATCHING, BATCHING_PARAMETERS)
    return path


def versions(folder):
    """The numbers of a model's versions, in order; none if there is no such folder."""
    entries = folder.iterdir() if folder.is_dir() else ()
    return sorted(int(entry.name) for entry in entries if entry.name.isdecimal())


def _check_free(path):
    if int(path.name) in versions(path.parent):
        raise FileExistsError(
            f"{path.parent} has a version {path.name}, which is not overwritten: a server may be "
            "using it. Choose another number, or none to take the next."
        )


def _config(root, name):
    """The text of `models.config` with this model in it."""
    path = root / MODELS
    text = path.read_text() if path.exists() else ""
    try:
        config = text_format.Parse(text, model_server_config_pb2.ModelServerConfig())
    except text_format.ParseError as error:
        raise ValueError(f"{path} is not a ModelServerConfig: {error}.") from error
    models = config.model_config_list.config
    if any(entry.name == name for entry in models):
        return text
    models.add(name=name, base_path=str(MOUNT / name), model_platform="tensorflow")
    return text_format.MessageToString(config)


def _write(path, text):
    with files.replacing(path) as partial:
        partial.write_text(text)
