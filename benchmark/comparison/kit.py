"""A folder that goes to a device without TensorFlow, and whose CSV comes back."""

import json
import pathlib
import shutil

from keras_ghostnet import files
from keras_ghostnet.benchmark.comparison import results
from keras_ghostnet.benchmark.comparison.measure import describe_versions
from keras_ghostnet.export.device import conditions, mnn_model, ncnn_model, run, table

TABLE = "models.json"
SCRIPT = "run.py"
MODULES = {"mnn": mnn_model, "ncnn": ncnn_model}  # beside the script, by runtime


def validate_folder(folder):
    """Refuses a folder that holds something else, before long work.

    Raises:
        FileExistsError: If it does.
    """
    folder = pathlib.Path(folder)
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir()) and not is_kit(folder)):
        raise FileExistsError(
            f"{folder} holds something else, which is not overwritten. Choose another folder "
            "(--export-only)."
        )


def is_kit(folder):
    """Whether a folder is one that `write_kit` made."""
    return (folder / TABLE).is_file() and (folder / SCRIPT).is_file()


def write_kit(folder, exported, target):
    """Writes the models, `models.json` and the scripts; the folder appears whole or not at all.

    Args:
        folder: Where; an earlier kit is replaced.
        exported: A list of `keras_ghostnet.benchmark.comparison.exports.Export`.
        target: The processor that they are for.

    Raises:
        FileExistsError: If the folder holds something else.
    """
    validate_folder(folder)
    with files.replacing(folder) as partial:
        partial.mkdir()
        entries = []
        for export in exported:
            fmt = export.artifact_format
            name = f"{files.file_name(export.model)}{fmt.suffix}"
            copy = shutil.copytree if fmt.is_folder else shutil.copyfile
            copy(export.path, partial / name)
            entries.append({"file": name, **export.fields})
        content = {
            "schema": results.SCHEMA,
            "columns": results.COLUMNS,
            "made_by": describe_versions("litert", target),
            "models": entries,
        }
        (partial / TABLE).write_text(json.dumps(content, indent=2) + "\n", "utf-8")
        used = {export.runtime for export in exported}
        for module in (
            run,
            table,
            conditions,
            *(MODULES[name] for name in sorted(used & MODULES.keys())),
        ):
            shutil.copy(module.__file__, partial)
