"""What an ncnn network is, read from its files."""

from keras_ghostnet.export import contents
from keras_ghostnet.export.device.ncnn_model import BIN, PARAM, Model

# What stands in front of the first layer's weights.
TYPES = {0: contents.FLOAT32, 0x01306B47: contents.FLOAT16, 0x000D4B38: contents.INT8}


def describe(path):
    """As `keras_ghostnet.export.contents.describe`."""
    contents.require_only(path, (PARAM, BIN))
    with (path / BIN).open("rb") as file:
        tag = int.from_bytes(file.read(4), "little")
    return {**contents.of_one_image(Model(path)), "precision": TYPES.get(tag, "unknown")}
