"""What a file of half precision is computed in on this machine."""

import pathlib
import tempfile

import numpy as np

from keras_ghostnet.export.contents import FLOAT16, FLOAT32, TFLITE_HALF


def find_arithmetic(path, image, output, run):
    """Whether LiteRT computes a file in half precision here, which it may and does not tell.

    The outputs do: those of the same file without the permission are others then.

    Args:
        path: A `.tflite` file that may be computed in half precision.
        image: An image `(1, height, width, 3)` as the file takes it.
        output: What the file outputs for it, `(1, classes)`.
        run: A function of the path of a file and an image that returns what it outputs.

    Returns:
        `"float16"` or `"float32"`.
    """
    content = pathlib.Path(path).read_bytes()
    forbidden = content.replace(TFLITE_HALF, b"-" * len(TFLITE_HALF))
    with tempfile.TemporaryDirectory() as folder:
        copy = pathlib.Path(folder) / "float32.tflite"
        copy.write_bytes(forbidden)
        is_same = np.array_equal(run(copy, image), output)
    return FLOAT32 if is_same else FLOAT16
