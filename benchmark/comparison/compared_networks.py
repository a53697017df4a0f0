"""What is compared: rows of the table, and models of the user's own beside them."""

import dataclasses
import pathlib

from keras_ghostnet import model_reference
from keras_ghostnet.benchmark import paper_table

SMALLEST = 32  # pixels
SUFFIXES = ("_fp32", "_fp16", "_int8_qat", "_int8")  # that exports add to the model's name


@dataclasses.dataclass(frozen=True)
class ComparedNetwork:
    """A network to compare, or a `.tflite` file of one.

    Attributes:
        name: What it is called in the table: the row's name, or what the user named.
        row: A `keras_ghostnet.benchmark.paper_table.Row`, whose weights are random; None if it
            is not of the table.
        file: The user's `.tflite` file, a `pathlib.Path`; None if it is a network.
    """

    name: str
    row: object = None
    file: pathlib.Path | None = None

    def build(self, size=None):
        """The Keras model.

        Args:
            size: Side of a row's image in pixels; None takes the published one. A model of the
                user's keeps its own.

        Raises:
            ValueError: If it is not a classifier of RGB images of a fixed size.
        """
        from keras_ghostnet.export import class_names

        if self.row is not None:
            return self.row.build(size)
        model = model_reference.resolve_model(self.name).load()
        class_names.require_classifier(model)
        return model


def resolve_networks(texts, suite):
    """What a user names as networks to compare; nothing is built.

    Args:
        texts: Names of rows, runs' folders, `.keras` and `.tflite` files; None for the suite.
        suite: `"paper"` or `"gpu"`.

    Returns:
        A list of `ComparedNetwork`, each once.

    Raises:
        FileNotFoundError: If there is no such file or folder.
        ValueError: If there is no such row; the message suggests the nearest.
    """
    if texts is None:
        return [ComparedNetwork(row.name, row) for row in paper_table.rows(suite)]
    return [_resolve(text) for text in dict.fromkeys(texts)]


def _resolve(text):
    path = pathlib.Path(text)
    if path.suffix == ".tflite":
        if not path.is_file():
            raise FileNotFoundError(f"There is no file {path}.")
        stem = path.stem
        for suffix in SUFFIXES:
            stem = stem.removesuffix(suffix)
        return ComparedNetwork(str(path.with_name(stem)), file=path)
    if model_reference.is_path(text):
        model_reference.resolve_model(text)
        return ComparedNetwork(text)
    row = paper_table.get_row(text)
    return ComparedNetwork(row.name, row)
