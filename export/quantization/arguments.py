"""What quantization-aware training and pruning require, checked before long work."""

import keras
import numpy as np

from keras_ghostnet.export.quantization.dependencies import require_tfmot
from keras_ghostnet.training.heads import require_exclusive_classes


def require_trainable(model):
    """Refuses what cannot be fine-tuned.

    Args:
        model: A trained Keras 3 classifier with a graph of layers, one input and one output.

    Raises:
        ImportError: If tf_keras or TFMOT is missing.
        ValueError: If the model does not fit.
    """
    require_tfmot()
    if not getattr(model, "inputs", None):
        raise ValueError(
            f"{model.name} has no graph of layers: build it with the functional API "
            "(`keras.Model(inputs, outputs)`), or call it once if it is Sequential."
        )
    ranks = [len(tensor.shape) for tensor in model.outputs]
    if len(model.inputs) != 1 or ranks not in ([2], [4]):
        raise ValueError(
            "The model must be a classifier with one input and one output (n, classes), or for "
            "every pixel (n, height, width, classes). Received: "
            f"{[tuple(x.shape) for x in model.inputs]} -> "
            f"{[tuple(x.shape) for x in model.outputs]}."
        )
    require_exclusive_classes(model, "Fine-tuning")
    for weight in model.weights:
        if not np.isfinite(keras.ops.convert_to_numpy(weight)).all():
            raise ValueError(f"The model's weight {weight.path} has values that are not finite.")
