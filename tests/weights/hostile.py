"""What the tests of damaged and malicious files share."""

import numpy as np
import pytest
import safetensors.numpy

from keras_ghostnet.weights.readers import read_checkpoint
from tests.weights import checkpoint_files as files

SMALL = {"a/kernel:0": np.arange(6, dtype="float32").reshape(2, 3), "a/bias:0": np.ones(2, "f4")}

WRITERS = {
    "torch zip": files.write_torch_zip,
    "torch legacy": files.write_torch_legacy,
    "paddle 2": lambda path, tensors: files.write_paddle(path, tensors, 2),
    "paddle 4": lambda path, tensors: files.write_paddle(path, tensors, 4),
    "keras 2": files.write_keras2_h5,
    "safetensors": lambda path, tensors: safetensors.numpy.save_file(tensors, path),
}


def refuse(path, match):
    """Asserts that the file is refused with a text that matches, and that names the file."""
    with pytest.raises(ValueError, match=match) as caught:
        read_checkpoint(path)
    assert str(path) in str(caught.value)
