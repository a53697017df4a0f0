"""What is compared: rows of the table, and models of the user's own beside them."""

import dataclasses
import json
import pathlib

from keras_ghostnet import files, model_reference, stores
from keras_ghostnet.benchmark import paper_table

METRICS = "metrics.json"  # in the folder of a run that has ended
EPOCHS = {model_reference.BEST: "best", "last.keras": "last"}  # that a run's files are of
SUFFIXES = ("_fp32", "_fp16", "_int8_qat", "_int8")  # that exports add to the model's name


@dataclasses.dataclass(frozen=True)
class ComparedNetwork:
    """A network to compare, or a `.tflite` file of one.

    Attributes:
        name: What it is called in the table: the row's name, or what the user named.
        row: A `keras_ghostnet.benchmark.paper_table.Row`, whose weights are random; None if it
            is not of the table.
        file: The user's `.tflite` file, a `pathlib.Path`; None if it is a network.
        trust_model: Whether the user's file may run code, as
            `keras_ghostnet.model_file.load_model`.
    """

    name: str
    row: object = None
    file: pathlib.Path | None = None
    trust_model: bool = False

    def build(self, size=None):
        """The Keras model.

        Args:
            size: Side of the image in pixels; None takes the published one of a row, and that of
                the file of a user's model.

        Raises:
            ValueError: If it is not a classifier of RGB images of a fixed size, or cannot take
                images of this one.
        """
        from keras_ghostnet.export import class_names

        if self.row is not None:
            return self.row.build(size)
        model = model_reference.resolve_model(self.name, self.trust_model).load(size)
        class_names.require_classifier(model)
        return model

    def accuracy(self, size):
        """What its training run measured of a user's model.

        Args:
            size: Side of the image in pixels. Of another than the run's, nothing is known.

        Returns:
            `top1` and `images` of `keras_ghostnet.benchmark.comparison.results.Measurement`, a
            dictionary; empty where nothing is known.
        """
        if self.row is not None or self.file is not None:
            return {}
        reference = model_reference.resolve_model(self.name)
        path = reference.fetched or pathlib.Path(self.name)
        folder, name = (path, model_reference.BEST) if path.is_dir() else (path.parent, path.name)
        if name not in EPOCHS or reference.recipe.get("image_size", size) != size:
            return {}
        try:
            accuracy = json.loads(files.read_text(folder / METRICS))[EPOCHS[name]]["val_accuracy"]
            config = json.loads(files.read_text(folder / model_reference.CONFIG))
            count = f"{config['examples']['val']:,} " if "examples" in config else ""
            top1 = 100 * float(accuracy)
        except (OSError, ValueError, KeyError, TypeError):  # not of a run, or not of a whole one
            return {}
        return dict(top1=top1, images=f"{count}held-out images of {reference.data}")


def resolve_networks(texts, suite, trust_model=False):
    """What a user names as networks to compare; nothing is built.

    Args:
        texts: Names of rows, runs' folders, `.keras` and `.tflite` files, here or in a store; None
            for the suite.
        suite: One of `paper_table.SUITES`.
        trust_model: Whether the users' files may run code, as
            `keras_ghostnet.model_file.load_model`.

    Returns:
        A list of `ComparedNetwork`, each once.

    Raises:
        FileNotFoundError: If there is no such file or folder.
        ValueError: If there is no such row; the message suggests the nearest.
    """
    if texts is None:
        return [ComparedNetwork(row.name, row) for row in paper_table.rows(suite)]
    return [_resolve(text, trust_model) for text in dict.fromkeys(texts)]


def _resolve(text, trust_model):
    name = text if stores.is_remote(text) else str(pathlib.Path(text))
    if name.endswith(".tflite"):
        path = stores.local(name)
        if not path.is_file():
            raise FileNotFoundError(f"There is no file {name}.")
        name = name.removesuffix(".tflite")
        for suffix in SUFFIXES:
            name = name.removesuffix(suffix)
        return ComparedNetwork(name, file=path)
    if model_reference.is_path(text):
        model_reference.resolve_model(text)
        return ComparedNetwork(name, trust_model=trust_model)
    row = paper_table.get_row(text)
    return ComparedNetwork(row.name, row)
