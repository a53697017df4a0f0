"""Feature maps of several strides, for detectors and segmenters.

The levels are named as in *Feature Pyramid Networks for Object Detection* (Lin et al., CVPR
2017) and KerasHub: the maps of level Pn are 2^n times smaller than the images. Where a stage of
the network has several blocks, the maps are those that timm's `features_only` returns.
"""

import os
from collections.abc import Iterable
from typing import Any

from keras_ghostnet import registry, specs
from keras_ghostnet.layers.pyramid import FeaturePyramid
from keras_ghostnet.layers.types import Shape

LEVELS = ("P2", "P3", "P4", "P5")
# Of the classifier, which a pyramid has not.
TOP = ("include_top", "pooling", "classes", "classifier_activation", "dropout_rate")


def feature_pyramid(
    name: str,
    levels: Iterable[str] = LEVELS,
    output_stride: int = 32,
    weights: str | os.PathLike[str] | None = None,
    input_shape: Shape | None = None,
    *,
    deepest: bool = False,
    **kwargs: Any,
) -> FeaturePyramid:
    """A network without its classifier that returns the feature maps of several strides.

    Args:
        name: One of `list_models()`.
        levels: Which maps: names of `level_layers(name)`, `"P1"` to `"P5"` for most networks.
        output_stride: The stride that no maps exceed: 32, or 16 or 8 (not for the networks for
            CIFAR). Strides beyond it are replaced by dilation: the weights are the same, and so
            are the values at the places that the strided network has too, but for the means over
            all positions in squeeze-and-excitation and in G-Ghost stages, which are then of more
            positions. The level is still called P5 where its stride is 16.
        weights: As the model's constructor, `"imagenet"` for example.
        input_shape: As the model's constructor; None leaves height and width open.
        deepest: Whether to take the maps of the last block of every stride, and not those of the
            first as timm does: P4 and P5 of GhostNet have five and four more blocks behind them.
            G-GhostNet and the networks for CIFAR have the last ones always.
        **kwargs: Further arguments of the model's constructor, such as `input_tensor`.

    Returns:
        A `keras.Model` whose output is a dictionary by level, in the order of `levels`, of maps
        `(batch, height / 2^n, width / 2^n, channels)`, or channels first if Keras is set so. Its
        `pyramid_outputs` are what KerasHub's models take. What is behind the last level is left
        out. Layers and variables are named as in the classifier.

    Raises:
        ValueError: If there is no such model, level or output stride, or an argument is out of
            range or one of the classifier.
        OSError: If the weights cannot be read or downloaded.

    Example:

    >>> pyramid = keras_ghostnet.feature_pyramid("ghostnet_100", ("P3", "P5"), output_stride=16)
    >>> {level: maps.shape[1:] for level, maps in pyramid(keras.ops.zeros((1, 64, 64, 3))).items()}
    {'P3': (8, 8, 40), 'P5': (4, 4, 160)}
    """
    spec = specs.get_spec(name)
    if unused := [argument for argument in TOP if argument in kwargs]:
        raise ValueError(
            f"A feature pyramid has no classifier: leave out {', '.join(unused)}. For the "
            f"classifier, use `create_model({name!r}, ...)`."
        )
    layers = level_layers(name, deepest)
    several = isinstance(levels, Iterable) and not isinstance(levels, str)
    levels = list(levels) if several else [str(levels)]
    if not levels or len(set(levels)) < len(levels) or not set(levels) <= set(layers):
        raise ValueError(
            f"`levels` must be names of the levels of {name}, each once: "
            f"{', '.join(layers)}. Received: levels={tuple(levels)}."
        )
    if isinstance(spec, specs.CifarSpec):
        if output_stride != 32:
            raise ValueError(
                f"{name} has no dilated form: its strides cannot be replaced. Leave "
                f"`output_stride` out. Received: output_stride={output_stride!r}."
            )
    else:
        kwargs["output_stride"] = output_stride
    model = registry.from_spec(
        spec, include_top=False, weights=weights, input_shape=input_shape, **kwargs
    )
    outputs = {level: model.get_layer(layers[level]).output for level in levels}
    return FeaturePyramid(inputs=model.input, outputs=outputs, name=model.name)


def level_layers(name: str, deepest: bool = False) -> dict[str, str]:
    """The layers whose outputs are the levels of a network, without building it.

    Models with `include_top=False` have layers of these names, too.

    Args:
        name: One of `list_models()`.
        deepest: As `feature_pyramid`.

    Returns:
        A dictionary from levels, in ascending order, to names of layers.

    Raises:
        ValueError: If there is no such model.
    """
    spec = specs.get_spec(name)
    if isinstance(spec, specs.GGhostSpec):
        ends = [
            f"stage{number}" if stage.ghost else f"stage{number}_block{stage.depth}"
            for number, stage in enumerate(spec.stages, start=1)
        ]
        layers = ["stem_relu", *ends]
    elif spec.family == "ghost_vgg":  # as timm's, in front of the poolings
        ends = [f"stage{n}_ghost{len(row)}" for n, row in enumerate(spec.stages, start=1)]
        layers = [*ends[1:], f"stage{len(spec.stages)}_pool"]
    elif spec.family == "ghost_resnet":
        ends = [f"stage{n}_block{blocks}" for n, (_, blocks) in enumerate(spec.stages, start=1)]
        layers = ends[1:]
    else:
        layers = [
            f"stage{number}_block{len(blocks) if deepest else 1}"
            for number, blocks in enumerate(spec.stages, start=1)
        ]
        if not deepest:  # timm's first maps are those of the convolution, without batch norm
            layers[0] = "stem_conv"
    return {f"P{number}": layer for number, layer in enumerate(layers, start=1)}
