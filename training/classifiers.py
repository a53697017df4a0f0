"""The networks of a run: what is trained, and copies of what it is taught by."""

import keras

from keras_ghostnet import specs
from keras_ghostnet.layers.normalization import batch_norms
from keras_ghostnet.registry import from_spec
from keras_ghostnet.training.recipes import Recipe


def build_classifier(recipe: Recipe, classes: int) -> keras.Model:
    """The network that a recipe trains.

    Args:
        recipe: A `Recipe`.
        classes: The number of classes.

    Returns:
        A Keras model that ends in logits. With pretrained weights it is their backbone below a
        classifier of its own.

    Raises:
        ValueError: If there is no such model.
        OSError: If weights cannot be read or downloaded.
    """
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(recipe.precision)
    try:
        model = _classifier(recipe, classes)
    finally:
        keras.config.set_dtype_policy(before)
    for layer in batch_norms(model):
        layer.synchronized = recipe.synchronized_bn
    return model


def copy_model(model: keras.Model) -> keras.Model:
    """The same network with variables of its own, as the strategy in whose scope this is needs."""
    clone = keras.models.clone_model(model)
    clone.set_weights(model.get_weights())
    return clone


def _classifier(recipe, classes):
    spec = specs.get_spec(recipe.model)
    shape = (recipe.image_size, recipe.image_size, 3)
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
