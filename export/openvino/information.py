"""What an IR file tells Model API (`openvino-model-api`) and DL Streamer: `model_info`, texts.

Model API takes RGB; its resize "crop" keeps the whole shorter side, a sidecar has the exact way.
"""

from keras_ghostnet.export.openvino.runtime import LABELS
from keras_ghostnet.model_input import NORMALIZED
from keras_ghostnet.preprocessing import scale_and_offset


def information(labels, kind, of_pixels=False):
    """The texts by name of a classifier.

    Args:
        labels: The classes' names; None leaves them out. Spaces stand between them, so that in a
            name they are underscores.
        kind: What the model takes, of `keras_ghostnet.model_input.INPUTS`.
        of_pixels: Whether it classifies every pixel.
    """
    task = "Segmentation" if of_pixels else "Classification"
    texts = {"model_type": task, "resize_type": "crop"}
    if kind == NORMALIZED:
        scale, offset = scale_and_offset()
        for name, values in (("mean_values", -offset / scale), ("scale_values", 1 / scale)):
            texts[name] = " ".join(f"{value:.6g}" for value in values)
    if labels is not None:
        texts[LABELS] = " ".join("_".join(name.split()) or "_" for name in labels)
    return texts
