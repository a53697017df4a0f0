"""`.mnn` files in MNN."""

from keras_ghostnet import extras
from keras_ghostnet.export.device import mnn_model
from keras_ghostnet.quiet import quiet


def load(path, threads=1):
    """A runner for a `.mnn` file.

    Args:
        path: The file.
        threads: The number of threads of MNN.

    Returns:
        A `keras_ghostnet.export.device.mnn_model.Model`: what runs on devices.

    Raises:
        ImportError: If MNN is missing.
        ValueError: If the file is not a network that takes one image at a time.
    """
    extras.require("MNN", purpose="A .mnn file", extra="mnn")
    with quiet():
        return mnn_model.Model(path, threads)
