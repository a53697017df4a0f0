"""Any public checkpoint as a Keras file."""

import os

import keras

from keras_ghostnet import files, stores
from keras_ghostnet.builder import square
from keras_ghostnet.registry import from_spec
from keras_ghostnet.weights import identification, keras3, transfer

SUFFIXES = (".weights.h5", ".keras")


def convert_weights(
    path: str | os.PathLike[str], output: str | os.PathLike[str]
) -> tuple[keras.Model, list[transfer.Assignment]]:
    """Converts a checkpoint to a Keras 3 file, which any Keras 3 installation reads fast.

    The network is detected from the file's contents: family, width or size, classes.

    Args:
        path: A checkpoint in any format that `weights=` takes, here or in a store.
        output: Path to write, here or in a store: `.keras` holds the model and its weights,
            `.weights.h5` the weights. It is written to a temporary name and renamed.

    Returns:
        `(model, assignments)`: the `keras.Model` that was written, and for each of its weights
        the `Assignment` that says which tensor it came from.

    Raises:
        ValueError: If `output` ends otherwise, or as `weights.identify_checkpoint` and
            `weights.assign_weights`.
        OSError: If a file cannot be read or written.
    """
    output = os.fspath(output)
    suffix = next((suffix for suffix in SUFFIXES if output.endswith(suffix)), None)
    if suffix is None:
        raise ValueError(
            f"The output must end in {' or '.join(SUFFIXES)}, by which Keras knows what to write. "
            f"Received: {output}"
        )
    folder = os.path.dirname(os.path.abspath(output))
    if not stores.is_remote(output) and not os.path.isdir(folder):
        raise FileNotFoundError(f"There is no folder {folder} to write {output} into.")
    checkpoint = identification.identify_checkpoint(path)
    if keras3.foreign_classes(checkpoint) is not None:
        raise ValueError(
            f"{path}: its classifier is not that of {checkpoint.spec.name} and would be lost. The "
            "file is one of Keras 3 already: load it with `keras.models.load_model`."
        )
    include_top = checkpoint.classes is not None

    def build(size):
        return from_spec(
            checkpoint.spec,
            include_top=include_top,
            classes=checkpoint.classes or 1000,
            input_shape=square(checkpoint.channels, size),
        )

    model = build(checkpoint.spec.image_size if include_top else None)
    assignments = transfer.assign_weights(checkpoint, model, include_top, lambda: build(None))
    left = set(map(checkpoint.name, checkpoint.tensors)) - {
        name for assignment in assignments for name in assignment.tensor.split(", ")
    }
    if left and checkpoint.layout is not None:
        raise ValueError(
            f"{path} has a part of the top, but no classifier: {', '.join(sorted(left))} would be "
            'lost. Load its backbone alone with `include_top=False, weights="..."`.'
        )
    with stores.writable_file(output) as place, files.replacing(place) as partial:
        if suffix == ".keras":
            model.save(partial)
        else:
            model.save_weights(partial)
    return model, assignments
