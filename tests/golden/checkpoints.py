"""The golden files as checkpoints on disk, each in the format of the program it came from."""

import json
import pathlib

import numpy as np
import safetensors.numpy

from tests.golden import values
from tests.weights import checkpoint_files

FOLDER = pathlib.Path(__file__).parent
NAMES = sorted(path.stem for path in FOLDER.glob("*.json"))
WRITERS = {
    "huawei": (".pth", checkpoint_files.write_torch_zip),
    "timm": (".safetensors", lambda path, tensors: safetensors.numpy.save_file(tensors, path)),
    "kecam": (".h5", checkpoint_files.write_keras2_h5),
    "paddle": (".pdparams", checkpoint_files.write_paddle),
}


class Golden:
    """One golden file.

    Args:
        name: One of `NAMES`: the program, the model and the size of the recorded images.

    Attributes:
        peer: The program it came from.
        model: The model's name.
        record: The file's content.
    """

    def __init__(self, name):
        self.name = name
        self.peer, _, self.model = name.rpartition("_")[0].partition("_")
        self.record = json.loads((FOLDER / f"{name}.json").read_text())

    def tensors(self):
        """The checkpoint's arrays by name, in its own layout; the dictionary is the caller's."""
        return {entry[0]: values.tensor(*entry) for entry in self.record["tensors"]}

    def write(self, folder):
        """Writes the checkpoint into a folder, unless it is there; returns its path."""
        suffix, writer = WRITERS[self.peer]
        path = folder / (self.name + suffix)
        if not path.exists():
            writer(path, self.tensors())
        return path

    @property
    def input_shape(self):
        """Shape of one of the recorded images."""
        return (self.record["input"]["height"], self.record["input"]["width"], 3)

    def images(self):
        """The recorded input."""
        return values.image_batch(**self.record["input"])

    def assert_agrees(self, logits, tolerance):
        """Compares logits with the recorded ones.

        Args:
            logits: Array `(batch, 1000)`.
            tolerance: Largest error allowed, in standard deviations of the recorded logits.
        """
        logits, record = np.asarray(logits, np.float64), self.record
        self.assert_near(logits, tolerance)
        allowed = tolerance * record["logits_std"]
        np.testing.assert_allclose(logits.std(), record["logits_std"], rtol=tolerance)
        # The sum knows of all logits; errors in both directions add up to the root of their number.
        assert abs(logits.sum() - record["logits_sum"]) <= allowed * logits.size**0.5
        assert logits.argmax(axis=1).tolist() == record["argmax"]

    def assert_near(self, logits, tolerance):
        """Compares the logits that are recorded one by one, as `assert_agrees`."""
        logits, allowed = np.asarray(logits, np.float64), tolerance * self.record["logits_std"]
        recorded = [self.record[name] for name in ("logits_first8", "logits_last8")]
        for found, expected in zip((logits[:, :8], logits[:, -8:]), recorded, strict=True):
            np.testing.assert_allclose(found, expected, rtol=0, atol=allowed)
