"""The networks of a run: what is trained, and copies of what it is taught by."""

from collections.abc import Callable, Sequence

import keras
import numpy as np

from keras_ghostnet import segmentation, specs
from keras_ghostnet.copying import set_weights
from keras_ghostnet.layers.bottleneck import Bottleneck
from keras_ghostnet.registry import from_spec
from keras_ghostnet.training.networks import FileNetwork, with_logits
from keras_ghostnet.training.recipes import SEGMENTATION, Recipe


def build_classifier(recipe: Recipe, classes: int) -> keras.Model:
    """The network that a recipe trains.

    Args:
        recipe: A `Recipe`.
        classes: The number of classes.

    Returns:
        A Keras model that ends in logits, of every pixel if the recipe's task is segmentation.
        With pretrained weights it is their backbone below a classifier of its own.

    Raises:
        ValueError: If there is no such model, or it has nothing that `drop_path` could drop.
        OSError: If weights cannot be read or downloaded.
    """
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(recipe.precision)
    try:
        return with_drop_path(_classifier(recipe, classes), recipe.drop_path)
    finally:
        keras.config.set_dtype_policy(before)


def build_from_file(
    network: FileNetwork, recipe: Recipe, class_names: Sequence[str]
) -> keras.Model:
    """The network that a recipe trains, if that is a file's.

    Args:
        network: What `networks.load_network` returned.
        recipe: A `Recipe`.
        class_names: The classes.

    Returns:
        A Keras model that ends in logits, with the file's weights.

    Raises:
        ValueError: If it cannot be made a classifier of these classes, or has nothing that
            `drop_path` could drop.
    """
    model = with_logits(network, copy_model(network.model), class_names, recipe.dropout_rate)
    return with_drop_path(model, recipe.drop_path)


def with_drop_path(model: keras.Model, rate: float) -> keras.Model:
    """A copy of a network, weights included, with stochastic depth; the network itself without.

    Args:
        model: A network of ghost bottlenecks: C-GhostNet or one of its successors.
        rate: `drop_path` of the last bottleneck, in [0, 1). It rises linearly from 0 at the first.

    Raises:
        ValueError: If the network has no bottlenecks.
    """
    if not rate:
        return model
    names = [layer.name for layer in model.layers if isinstance(layer, Bottleneck)]
    if not names:
        raise ValueError(
            f"`drop_path` is of ghost bottlenecks, of which {model.name} has none: set drop_path=0."
        )
    rates = dict(zip(names, np.linspace(0, rate, len(names)).tolist(), strict=True))

    def copy(layer):
        config = layer.get_config()
        if layer.name in rates:
            config["drop_path"] = rates[layer.name]
        return type(layer).from_config(config)

    return copy_model(model, copy)


def copy_model(
    model: keras.Model, copy_layer: Callable[[keras.Layer], keras.Layer] | None = None
) -> keras.Model:
    """The same network with variables of its own, as the strategy in whose scope this is needs.

    Args:
        model: A Keras model.
        copy_layer: Function of a layer that makes its counterpart; None for Keras' own.
    """
    clone = keras.models.clone_model(model, clone_function=copy_layer)
    set_weights(clone, model.get_weights())
    return clone


def _classifier(recipe, classes):
    spec = specs.get_spec(recipe.model)
    shape = (recipe.image_size, recipe.image_size, 3)
    if recipe.task == SEGMENTATION:
        return segmentation.segmenter(
            recipe.model,
            classes,
            dropout_rate=recipe.dropout_rate,
            weights=recipe.weights,
            input_shape=shape,
        )
    if recipe.weights is None:
        return from_spec(
            spec,
            classes=classes,
            classifier_activation=None,
            dropout_rate=recipe.dropout_rate,
            input_shape=shape,
            weights=None,
        )
    backbone = from_spec(
        spec, include_top=False, pooling="avg", input_shape=shape, weights=recipe.weights
    )
    x = keras.layers.Dropout(recipe.dropout_rate, name="dropout")(backbone.output)
    logits = keras.layers.Dense(classes, name="predictions", dtype="float32")(x)
    return keras.Model(backbone.input, logits, name=spec.name)
