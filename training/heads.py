"""How the outputs of a classifier tell its classes."""

from typing import Any

import keras
import numpy as np

# Layers and operations that leave probabilities what they are.
_TRANSPARENT = (
    "AlphaDropout", "Cast", "ConvertToTensor", "Dropout", "Flatten", "GaussianDropout",
    "GaussianNoise", "Identity", "Reshape", "Squeeze",
)  # fmt: skip
_KNOWN = {"Softmax": "softmax", "Sigmoid": "sigmoid"}  # layers and operations


def output_activation(model: keras.Model) -> str:
    """What a model ends in, as a layer, as the activation of one, or as an operation.

    Args:
        model: A functional or sequential Keras model with one output.

    Returns:
        `"softmax"`: probabilities of classes that exclude each other. `"sigmoid"`: of labels that
        are independent of each other or, with one unit, of the second of two classes.
        `"linear"`: logits, or anything else.
    """
    return _activation(model.outputs[0])


def _activation(tensor):
    operation, node_index, tensor_index = tensor._keras_history
    if isinstance(operation, keras.Model) and getattr(operation, "outputs", None):
        return _activation(operation.outputs[tensor_index])
    kind = type(operation).__name__
    if kind in _KNOWN:
        return _KNOWN[kind]
    activation = getattr(operation, "activation", None)
    if activation in (keras.activations.softmax, keras.activations.sigmoid):
        return activation.__name__
    nothing = kind == "Activation" and activation is keras.activations.linear
    if kind in _TRANSPARENT or nothing:
        return _activation(operation._inbound_nodes[node_index].input_tensors[0])
    return "linear"


def outputs_are(model: keras.Model) -> str:
    """Whether a model's outputs are `"logits"` or `"probabilities"`."""
    return "logits" if output_activation(model) == "linear" else "probabilities"


def count_classes(model: keras.Model) -> int:
    """The number of classes, or of independent labels; two of a model with one unit."""
    return max(2, model.output_shape[-1])


def is_of_pixels(model: keras.Model) -> bool:
    """Whether a model classifies every pixel: its output is a map `(height, width, classes)`."""
    return len(model.output_shape) == 4


def require_maps_of_images(model: keras.Model) -> None:
    """Refuses a model of pixels whose maps are not as large as its images.

    Raises:
        ValueError: If they are not.
    """
    if is_of_pixels(model) and model.output_shape[1:3] != model.input_shape[1:3]:
        raise ValueError(
            f"{model.name} takes images of {model.input_shape[1:3]} pixels and outputs maps of "
            f"{model.output_shape[1:3]}. End it in a "
            'keras.layers.UpSampling2D(..., interpolation="bilinear") to the size of the images.'
        )


def is_multi_label(model: keras.Model) -> bool:
    """Whether any number of the labels may be true of an image: several sigmoids."""
    return model.output_shape[-1] > 1 and output_activation(model) == "sigmoid"


def require_exclusive_classes(model: keras.Model, purpose: str) -> None:
    """Refuses a model of independent labels.

    Args:
        model: A Keras classifier.
        purpose: What needs classes that exclude each other; the message begins with it.

    Raises:
        ValueError: If the model ends in several sigmoids.
    """
    if is_multi_label(model):
        raise ValueError(
            f"{purpose} needs classes that exclude each other: a model that ends in logits, a "
            f"softmax, or one sigmoid unit. {model.name} ends in {model.output_shape[-1]} "
            "sigmoids, labels that are independent of each other."
        )


def alternatives(outputs: np.ndarray, activation: str) -> np.ndarray:
    """What is compared to decide on an image: of each decision the largest value wins.

    Args:
        outputs: `(n, units)`; of a model of pixels `(n, height, width, units)`.
        activation: What `output_activation` returned for the model.

    Returns:
        `(n, decisions, choices)`, where of a model of pixels n counts all pixels: of classes that
        exclude each other one decision, all outputs; else a decision for every unit, whether the
        output exceeds 0 or, of a sigmoid, 0.5.
    """
    outputs = outputs.reshape(-1, outputs.shape[-1])
    if outputs.shape[-1] > 1 and activation != "sigmoid":
        return outputs[:, None]
    threshold = np.full_like(outputs, 0 if activation == "linear" else 0.5)
    return np.stack([threshold, outputs], axis=-1)


def to_probabilities(outputs: Any, activation: str) -> Any:
    """Probabilities of all classes from a model's outputs.

    Args:
        outputs: `(n, units)`.
        activation: What `output_activation` returned for the model.

    Returns:
        A tensor `(n, classes)` in [0, 1]. They add up to 1, but for those of independent labels.
        One unit becomes two classes.
    """
    is_unit = outputs.shape[-1] == 1
    if activation == "linear":
        if is_unit:
            outputs = keras.ops.concatenate([keras.ops.zeros_like(outputs), outputs], axis=-1)
        return keras.ops.softmax(outputs)
    return keras.ops.concatenate([1 - outputs, outputs], axis=-1) if is_unit else outputs
