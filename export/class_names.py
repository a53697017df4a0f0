"""What is exported: the names of its classes, and whether it can be exported at all."""

import json
import os
import re

import keras

from keras_ghostnet import files, stores
from keras_ghostnet.imagenet import CLASSES, imagenet_classes
from keras_ghostnet.training.heads import count_classes

SCOPE = re.compile(r"[A-Za-z0-9_.\\/>-]+")  # what TensorFlow takes as a layer's name
NAMED = 3  # names in a message


def read_labels(path):
    """The classes' names, a tuple.

    Args:
        path: A file of them, one per line or a JSON list, here or in a store; or a sequence of
            names.

    Raises:
        OSError: If a file cannot be read.
        ValueError: If it is neither, or no text.
    """
    if not isinstance(path, str | os.PathLike):
        return tuple(map(str, path))
    text = files.read_text(stores.local(path))
    if not text.lstrip().startswith("["):
        return tuple(line.strip() for line in text.splitlines() if line.strip())
    try:
        labels = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} begins as a JSON list of names, but is none: {error}.") from error
    if not all(isinstance(label, str) for label in labels):
        raise ValueError(f"{path} must be a list of names. Found something else in it.")
    return tuple(labels)


def labels_for(model, labels):
    """The names of a model's classes.

    Args:
        model: The Keras model.
        labels: What is known of them, or None.

    Returns:
        A tuple; numbers if nothing is known.

    Raises:
        ValueError: If there are not as many as classes.
    """
    classes = count_classes(model)
    if labels is None:
        names = [name for _, name in imagenet_classes()] if classes == CLASSES else range(classes)
        return tuple(map(str, names))
    if len(labels) != classes:
        raise ValueError(
            f"{model.name} has {classes} classes. Received {len(labels)} labels: "
            f"{', '.join(labels[:5])} ..."
        )
    return labels


def require_classifier(model, of_pixels=False):
    """Refuses a model that is no classifier, or that no format can be made of.

    Args:
        model: A Keras model.
        of_pixels: Whether a classifier of every pixel will do, too.

    Raises:
        ValueError: If the model is not a classifier of RGB images of a fixed size, has weights
            that are not finite, or layers of names that TensorFlow refuses in every graph; the
            message names the layer.
    """
    shapes = [tuple(tensor.shape[1:]) for tensor in (*model.inputs, *model.outputs)]
    fits = [len(shape) for shape in shapes] in ([[3, 1], [3, 3]] if of_pixels else [[3, 1]])
    if not fits or None in shapes[0] or shapes[0][-1] != 3:
        maps = " or, for every pixel, (height, width, classes)" if of_pixels else ""
        levels = ""
        if len(model.outputs) > 1:
            levels = " Of several outputs, export one: `keras.Model(model.input, output)`."
        raise ValueError(
            "An export needs a classifier of RGB images of a fixed size: one input "
            f"(height, width, 3) and one output (classes,){maps}. Received a model with inputs "
            f"and outputs {shapes}: build it with `input_shape=(height, width, 3)`.{levels}"
            + (" Or give the size of the images: --image-size." if None in shapes[0] else "")
        )
    odd = [
        repr(layer.name)
        for layer in model._flatten_layers(include_self=False)
        if not SCOPE.fullmatch(layer.name)
    ]
    if odd:
        more = f" and {len(odd) - NAMED} more" if len(odd) > NAMED else ""
        raise ValueError(
            f"TensorFlow runs no layer called {', '.join(odd[:NAMED])}{more}: names have "
            "letters, digits and . _ - > alone. Give the layers other "
            "names where the model is built; weights saved from this one fit it."
        )
    for weight in model.weights:
        if not keras.ops.all(keras.ops.isfinite(weight)):
            layer, _, kind = weight.path.rpartition("/")
            raise ValueError(
                f"The layer {layer} has a {kind} that is not finite (NaN or infinite): training "
                "has diverged. Export an earlier checkpoint, or train with a smaller learning rate."
            )
