"""From a recognised checkpoint into a model: all of it, once, or an error and nothing."""

import dataclasses

import numpy as np

from keras_ghostnet.weights import keras3, registry
from keras_ghostnet.weights import source as sources

BACKBONE = 'include_top=False, pooling="avg", weights=...'
TOP = ("head", "predictions")  # the layers that `include_top=False` leaves out


@dataclasses.dataclass(frozen=True)
class Assignment:
    """One variable and what it is set to.

    Attributes:
        variable: The model's Keras variable.
        tensor: The name of the checkpoint's tensor.
        value: The array, in Keras' layout.
    """

    variable: object
    tensor: str
    value: np.ndarray


def load(weights, spec, classes, channels):
    """Reads what `weights=` of a constructor names, if it fits the model.

    Whatever can be said before a download is said before it.

    Args:
        weights: A tag of the registry, or a path.
        spec, classes, channels: As `check`.

    Returns:
        A `Source`.

    Raises:
        ValueError: As `check`, or if `weights` is neither a tag nor a GhostNet's file.
        OSError: If the file cannot be read or downloaded.
    """
    if isinstance(weights, str) and weights in registry.tags(spec.name):
        check(registry.REGISTRY[spec.name, weights], spec, classes, channels)
    source = sources.load(weights, spec)
    check(source, spec, classes, channels)
    return source


def check(source, spec, classes, channels):
    """Raises if a checkpoint does not fit a model that is about to be built.

    Args:
        source: The `Source`, or the `WeightsEntry` that announces one.
        spec: The model's specification.
        classes: Classes of the model's classifier, or None if it has none.
        channels: Channels of the model's input.

    Raises:
        ValueError: Says what the checkpoint holds, what the model is, and what to do.
    """
    if source.spec != spec:
        raise ValueError(
            f"The weights in {source.path} are of {_describe(source.spec)} ({source.title}), but "
            f"the model is {_describe(spec)}. Build the model as {_call(source.spec)}, or use "
            f"weights of {spec.name}."
        )
    if source.channels != channels:
        raise ValueError(
            f"The weights in {source.path} are of a network that takes {source.channels} channels, "
            f"but the model takes {channels}. Use an input of {source.channels} channels, e.g. by "
            "repeating or projecting the channels in front of the network."
        )
    if classes is None:
        return
    if source.classes is None:
        raise ValueError(
            f"The weights in {source.path} have no classifier, but the model has one. Use "
            "`include_top=False` and put a classifier of your own on top."
        )
    if source.classes != classes:
        raise ValueError(
            f"The weights in {source.path} tell {source.classes} classes apart, but the model has "
            f"classes={classes}. To fine-tune on {classes} classes, leave the classifier out and "
            "put your own on top:\n"
            f"    backbone = {_call(spec, BACKBONE)}\n"
            f'    outputs = keras.layers.Dense({classes}, activation="softmax")(backbone.output)\n'
            "    model = keras.Model(backbone.input, outputs)"
        )


def plan(source, model, include_top):
    """Which variable is set to what, without setting anything.

    Args:
        source: The `Source`, which `check` found to fit.
        model: The model.
        include_top: Whether the model has its classifier; without it the checkpoint's tensors
            of the classifier (and of GhostNet's head) are left out, and no others.

    Returns:
        A list of `Assignment`, one for each of the model's weights.

    Raises:
        ValueError: If a variable finds no tensor, a tensor no variable, or shapes differ; all
            of them are named.
    """
    found = _keras3(source) if source.layout is None else _named(source, model)
    assignments, problems = [], []
    for variable in model.weights:
        tensor, value = found.pop(variable.path, (None, None))
        if tensor is None:
            problems.append(f"{variable.path} has no tensor in the checkpoint")
        elif value is None:
            problems.append(f"{variable.path} needs {tensor}, which the checkpoint lacks")
        elif value.shape != tuple(variable.shape):
            problems.append(
                f"{tensor} of shape {value.shape} does not fit {variable.path} of shape "
                f"{tuple(variable.shape)}"
            )
        else:
            assignments.append(Assignment(variable, tensor, value))
    for path, (tensor, _) in found.items():
        if include_top or path.split("/")[0] not in TOP:
            problems.append(f"{tensor} belongs to no variable of the model")
    if problems:
        shown = "\n  ".join(problems[:10])
        more = f"\n  and {len(problems) - 10} more" if len(problems) > 10 else ""
        raise ValueError(
            f"The weights in {source.path} ({source.title}) do not fit {model.name}; nothing was "
            f"loaded:\n  {shown}{more}"
        )
    return assignments


def assign(source, model, include_top):
    """Sets every weight of a model from a checkpoint.

    Args:
        source, model, include_top: As `plan`.

    Returns:
        The list of `Assignment` that was carried out.

    Raises:
        ValueError: As `plan`; the model is untouched then.
    """
    assignments = plan(source, model, include_top)
    for assignment in assignments:
        assignment.variable.assign(assignment.value)
    return assignments


def _keras3(source):
    """Path of our variable -> (name, array), for a Keras 3 file."""
    return {path: (path, value) for path, value in keras3.values(source).items()}


def _named(source, model):
    """Path of our variable -> (name, array or None), for a layout with a table of names.

    Tensors that the table does not know stand under their own names.
    """
    layers = source.layout.layers(source.spec)
    rest = dict(source.tensors)
    found = {}
    for path in [*(variable.path for variable in model.weights), *_top_variables(layers)]:
        layer = layers.get(path.rpartition("/")[0])
        if layer is None or path in found:
            continue
        tensor = source.layout.tensor_name(layer, path)
        array = rest.pop(tensor, None)
        value = None if array is None else source.layout.to_keras(array, path)
        found[path] = (tensor, value)
    found.update({name: (name, array) for name, array in rest.items()})
    for path in _top_variables(layers):
        if found.get(path, (None, None))[1] is None:
            found.pop(path, None)
    return found


def _top_variables(layers):
    return [f"{layer}/{name}" for layer in TOP if layer in layers for name in ("kernel", "bias")]


def _describe(spec):
    if spec.family == "ghostnet":
        return f"{spec.name} (width {spec.width:g})"
    return spec.name


def _call(spec, arguments="weights=..."):
    if spec.family == "ghostnet":
        return f"keras_ghostnet.GhostNet({spec.width:g}, {arguments})"
    return f"keras_ghostnet.GGhostRegNetX{spec.size}({arguments})"
