"""ncnn networks in ncnn."""

from keras_ghostnet import extras
from keras_ghostnet.export.device import ncnn_model
from keras_ghostnet.quiet import quiet


def load(path, threads=1):
    """A runner for an ncnn network.

    Args:
        path: The folder.
        threads: The number of threads of ncnn.

    Returns:
        A `keras_ghostnet.export.device.ncnn_model.Model`: what runs on devices.

    Raises:
        ImportError: If ncnn is missing.
        ValueError: If it is not a network that takes one image at a time.
    """
    extras.require("ncnn", purpose="An ncnn network", extra="ncnn")
    with quiet():
        return ncnn_model.Model(path, threads)
