"""Any network with ghost modules in the place of its convolutions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import keras
import numpy as np

from keras_ghostnet.copying import set_weights
from keras_ghostnet.ghosting import warm_start
from keras_ghostnet.ghosting.graph import graph_of
from keras_ghostnet.ghosting.selection import Select, candidates, choose
from keras_ghostnet.layers import FeaturePyramid, GhostModule

if TYPE_CHECKING:
    from rich.console import Console


def ghostify(
    model: keras.Model,
    ratio: int = 2,
    cheap_kernel_size: int = 3,
    select: Select = None,
    calibration: np.ndarray | Sequence[np.ndarray] | dict[str, np.ndarray] | None = None,
    *,
    console: Console | None = None,
) -> keras.Model:
    """Puts ghost modules in the place of a network's convolutions.

    *GhostNet: More Features from Cheap Operations* (arXiv 1911.11907), section 3.1, proposes the
    module for any network. Each chosen `Conv2D` becomes a `keras_ghostnet.layers.GhostModule` of
    its name, kernel, stride, padding, dilation and data format. A batch norm and an activation that
    follow it, and nothing else, become part of the module, as in the paper's networks; a bias
    becomes the offset of the module's batch norms. Regularizers of the kernel are left out: train
    with weight decay. All other layers are copied with their weights, shared ones stay shared, and
    nested models nested.

    Without `calibration` the modules have random weights. With it they get a warm start from the
    trained convolutions, layer by layer: `keras_ghostnet.ghosting.warm_start` says how. Layers that
    read a module's maps then get their weights in the new order of the channels. It computes all
    images at once: some hundred small ones, or some dozen of 224 pixels, suffice.

    Args:
        model: A functional or sequential Keras model. It is left as it is.
        ratio: Feature maps per intrinsic map, `s` in the paper; 2 or more.
        cheap_kernel_size: Size of the cheap operations' kernels, `d` in the paper; odd.
        select: Which convolutions: a function that gets each `Conv2D` that can be replaced (square,
            one group, at least `ratio` filters) and returns whether it is to be, or a list of
            names of layers, nested ones as `model/layer`. None takes those that are worth it: not
            the first, not the one that makes the model's outputs, none on maps of one pixel, and
            only if that saves a quarter of the layer's multiply-adds.
        calibration: Images as the model takes them, an array `(images, height, width, channels)`;
            a list or dictionary of arrays if the model has several inputs.
        console: Where to show the progress of the warm start; None shows nothing.

    Returns:
        A new model of the same name, inputs and outputs, not compiled; of a `feature_pyramid` one
        with its levels, of which the layers keep their names.
        `keras_ghostnet.ghost_costs` compares both.

    Raises:
        ValueError: If an argument is out of range, the model has no graph of layers, ghost modules
            already or a layer that cannot be copied, no convolution is chosen, or the calibration
            images are not what the model takes.

    Example:

    >>> model = keras.applications.ResNet50(weights=None)
    >>> ghost = keras_ghostnet.ghostify(model)
    >>> keras_ghostnet.ghost_costs(model, ghost)[-1].parameters
    (25583592, 13953576)
    """
    _check(model, ratio, cheap_kernel_size)
    chosen = choose(candidates(model, ratio, cheap_kernel_size), select)
    images = None if calibration is None else warm_start.check_calibration(model, calibration)
    ghost, made = _rebuild(model, chosen, ratio, cheap_kernel_size)
    if images is not None:
        warm_start.fit(model, chosen, made, images, console)
    return ghost


def _check(model, ratio, cheap_kernel_size):
    GhostModule(1, ratio=ratio, cheap_kernel_size=cheap_kernel_size)  # which refuses what is wrong
    if ratio < 2:
        raise ValueError(
            "`ratio` must be 2 or more: with 1 every filter stays a convolution. "
            f"Received: ratio={ratio}."
        )
    if not isinstance(model, keras.Model) or graph_of(model) is None:
        name = getattr(model, "name", type(model).__name__)
        raise ValueError(
            f"{name} has no graph of layers: it is a subclass of keras.Model, a Sequential model "
            "without an input shape, or no model. Build it with the functional API, "
            "`keras.Model(inputs, outputs)`, or call it once if it is Sequential."
        )
    for layer in model._flatten_layers():
        if isinstance(layer, GhostModule) and layer.ratio > 1:
            raise ValueError(
                f"{model.name} has ghost modules already, such as {layer.path}. If it was made by "
                "`ghostify`, take the network that it was made of; a GhostNet gets smaller by its "
                "`width`."
            )


def _rebuild(model, chosen, ratio, cheap_kernel_size):
    """The same graph of new layers, and these by the ids of the layers whose places they take."""
    made = {id(each.layer): each.module(ratio, cheap_kernel_size) for each in chosen}
    made |= {id(layer): None for each in chosen for layer in each.absorbed}
    copies = []

    def convert(layer):
        if id(layer) not in made:
            made[id(layer)] = _copy(layer) if graph_of(layer) is None else rebuild(layer)
            copies.append((layer, made[id(layer)]))
        return made[id(layer)]

    def call(layer, *args, **options):
        return layer(*args, **options) if layer else next(iter((*args, *options.values())))

    def rebuild(model):
        if isinstance(model, keras.Sequential):
            (source,) = model.inputs
            inputs = keras.Input(batch_shape=source.shape, dtype=source.dtype, name=source.name)
            layers = [new for layer in model.layers if (new := convert(layer)) is not None]
            copy = keras.Sequential([inputs, *layers], name=model.name)
        else:  # without a loss and an optimizer, which would be copied too
            plain = keras.Model(model.input, model.output, name=model.name)
            copy = keras.models.clone_model(plain, clone_function=convert, call_function=call)
            if isinstance(model, FeaturePyramid):  # KerasHub's models ask for its class
                copy = FeaturePyramid(copy.input, copy.output, name=model.name)
        if not model.trainable:
            copy.trainable = False
        return copy

    ghost = rebuild(model)
    for layer, copy in copies:
        if graph_of(layer) is None and getattr(layer, "weights", None):
            set_weights(copy, layer.get_weights())
    return ghost, made


def _copy(layer):
    try:
        return type(layer).from_config(layer.get_config())
    except Exception as error:  # whatever a layer of the user's raises
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ValueError(
            f"{layer.name} ({type(layer).__name__}) cannot be copied: it cannot be made from its "
            f"own get_config() ({reason})."
        ) from error
