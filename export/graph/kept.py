"""Layers of a deployment graph that stay in float when the others are quantized."""

import re

from keras_ghostnet.export.graph.refusals import layer_of
from keras_ghostnet.specs import suggest

# What lowering adds to the name of a layer that it makes several of.
ADDED = re.compile(r"_(\d+|add|pack|unpack)$")


def require_layers(model, names):
    """Refuses names that are no layers of a model.

    Args:
        model: A Keras model in its deployment form.
        names: A sequence of names.

    Raises:
        ValueError: If there is no layer of a name; the message suggests the nearest.
    """
    known = [layer.name for layer in model.layers]
    for name in names:
        if name not in known:
            raise ValueError(
                f"{model.name} has no layer {name!r} to keep in float.{suggest(name, known)} "
                "`ghostnet verify --layers` lists the layers of an int8 artifact."
            )


def lowered_names(model, lowered, names):
    """The names that some layers of a deployment graph have in what it was lowered to."""
    known = {layer.name for layer in model.layers}
    found = set()
    for layer in lowered.layers:
        origin = layer.name
        while origin not in known and ADDED.search(origin):
            origin = ADDED.sub("", origin)
        if origin in names:
            found.add(layer.name)
    return found


def scopes_of(tensors, layers, kept):
    """The tensors that some layers output, also those that other layers were merged into.

    Args:
        tensors: Names of the outputs of operators, `scope;scope;...` as TFLite has them.
        layers: The names of the layers that the operators come from.
        kept: The names of those that are looked for.

    Returns:
        A list of names.
    """
    return [
        tensor
        for tensor in tensors
        if any(layer_of(f"{scope}/", layers) in kept for scope in tensor.split(";"))
    ]
