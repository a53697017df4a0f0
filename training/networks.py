"""A `.keras` file as the network that a run trains."""

import dataclasses
from collections.abc import Sequence

import keras

from keras_ghostnet import builder, model_input, model_reference, segmentation, specs
from keras_ghostnet.precision import in_float32
from keras_ghostnet.training.heads import (
    is_of_pixels,
    output_activation,
    require_exclusive_classes,
    require_maps_of_images,
)
from keras_ghostnet.training.recipes import SEGMENTATION, Recipe

SUFFIX = ".keras"


@dataclasses.dataclass(frozen=True, eq=False)
class FileNetwork:
    """A network of a file, for images of the recipe's size.

    Attributes:
        model: The Keras model, in float32.
        labels: What its classes are called; None if that is not known.
        input: What it takes, of `keras_ghostnet.model_input.INPUTS`.
    """

    model: keras.Model
    labels: tuple[str, ...] | None
    input: str


def load_network(recipe: Recipe, trust_model: bool = False) -> FileNetwork | None:
    """Loads the file that a recipe names as its model.

    Args:
        recipe: A `Recipe`.
        trust_model: Whether the file may run code, as `keras_ghostnet.model_file.load_model`.

    Returns:
        A `FileNetwork`; None if the recipe names a network of `list_models()`.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If there is no such network, the file cannot be loaded, is no classifier of RGB
            images, or of their pixels if the recipe's task is segmentation, of classes that exclude
            each other, cannot take images of the recipe's size, or the recipe asks for another
            precision.
    """
    if not recipe.model.endswith(SUFFIX):
        if model_reference.is_path(recipe.model):
            raise ValueError(
                f"A run trains the network of a {SUFFIX} file, or one of `ghostnet models`. "
                f"Received: model={recipe.model}. Of a run's folder, name its "
                f"{model_reference.BEST}."
            )
        size = (recipe.image_size,) * 2
        spec = specs.get_spec(recipe.model)
        builder.require_large_enough(spec, size, f"image_size={recipe.image_size}")
        if recipe.task == SEGMENTATION:
            segmentation.require_fit(recipe.model, size)
        return None
    if recipe.precision != "float32":
        raise ValueError(
            f"A network of a file is trained in float32. Received: precision={recipe.precision}, "
            f"model={recipe.model}."
        )
    reference = model_reference.resolve_model(recipe.model, trust_model)
    model = in_float32(reference.load(recipe.image_size))
    shapes = [tuple(tensor.shape) for tensor in (*model.inputs, *model.outputs)]
    of_pixels = recipe.task == SEGMENTATION
    ranks = [4, 4 if of_pixels else 2]
    if [len(shape) for shape in shapes] != ranks or shapes[0][-1] != 3 or None in shapes[1][1:]:
        wanted = "(None, height, width, classes)" if of_pixels else "(None, classes)"
        raise ValueError(
            f"{recipe.model} must be a classifier of RGB images for task={recipe.task}, with an "
            f"output of {wanted}: it takes and returns {', '.join(map(str, shapes))}. Put such a "
            "classifier on top, or set the other task."
        )
    require_maps_of_images(model)
    require_exclusive_classes(model, "Training")
    if not model.trainable_weights:
        raise ValueError(f"Nothing in {recipe.model} is trainable: set `model.trainable = True`.")
    return FileNetwork(model, reference.labels, model_input.resolve_input(model))


def with_logits(
    network: FileNetwork, model: keras.Model, class_names: Sequence[str], dropout_rate: float
) -> keras.Model:
    """Makes a network of a file a classifier of a run's images, which ends in logits.

    Its own classifier stays if it is one of as many classes and, as far as is known, of the same
    names. Else there is a new one in its place, but in a classifier of pixels, which must be of as
    many classes.

    Args:
        network: A `FileNetwork`.
        model: A copy of its model, which is changed.
        class_names: The classes of the images.
        dropout_rate: In front of a new classifier.

    Returns:
        A functional Keras model on the layers of `model`.

    Raises:
        ValueError: If it needs another classifier, and does not end in a dense layer.
    """
    output = _logits(model)
    is_same = network.labels in (None, tuple(class_names)) or is_of_pixels(model)
    if output.shape[-1] == len(class_names) and is_same:
        return keras.Model(model.inputs[0], output, name=model.name)
    layer, node, _ = output._keras_history
    if is_of_pixels(model):
        raise ValueError(
            f"{model.name} outputs maps of {output.shape[-1]} classes, the images have "
            f"{len(class_names)}: {', '.join(class_names[:5])} ... Build it with as many."
        )
    if type(layer) is not keras.layers.Dense:
        raise ValueError(
            f"{model.name} needs another classifier for the {len(class_names)} classes of the "
            f"images, but ends in {layer.name} ({type(layer).__name__}), not in a dense layer that "
            "could be replaced. Put a classifier of these classes on top."
        )
    (features,) = layer._inbound_nodes[node].input_tensors
    features = keras.layers.Dropout(dropout_rate, name="classifier_dropout")(features)
    logits = keras.layers.Dense(len(class_names), name="predictions", dtype="float32")(features)
    return keras.Model(model.inputs[0], logits, name=model.name)


def _logits(model):
    """The outputs of a classifier before a softmax or sigmoid, which its last layer may lose."""
    output = model.outputs[0]
    if output_activation(model) == "linear":
        return output
    layer, node, _ = output._keras_history
    if getattr(layer, "weights", ()) and hasattr(layer, "activation"):
        layer.activation = keras.activations.linear
    elif not isinstance(layer, keras.Model):
        (output,) = layer._inbound_nodes[node].input_tensors
    if output_activation(keras.Model(model.inputs[0], output)) != "linear":
        raise ValueError(
            f"{model.name} must end in logits, or in a softmax as its last layer: found one within "
            f"{layer.name} ({type(layer).__name__})."
        )
    return output
