"""Where an int8 artifact differs from its float model: layer by layer."""

import contextlib
import dataclasses
import os
import pathlib

import keras
import numpy as np

from keras_ghostnet.defaults import keras_defaults
from keras_ghostnet.export import artifact_folder, preprocessing, sandbox, sidecar
from keras_ghostnet.export.graph import deploy, for_tracing, lowering
from keras_ghostnet.export.graph.lowering.targets import for_runtime
from keras_ghostnet.export.graph.refusals import layer_of
from keras_ghostnet.model_input import NORMALIZED, PIXELS
from keras_ghostnet.quiet import quiet

IMAGES = 16
LAYERS = "_layers"  # what follows a format's module in `sandbox.RUNTIMES`
PREFIX = "quant_"  # of the layers of a network that was trained with rounding


@dataclasses.dataclass(frozen=True)
class LayerError:
    """How a layer's outputs in int8 differ from those of the float model.

    What earlier layers got wrong is in them.

    Attributes:
        layer: The layer's name in the deployment graph.
        max_error: The largest difference, in standard deviations of the float outputs.
        typical_error: The root mean square of the differences, in the same unit.
        cosine: Cosine of the angle between all outputs of both, in [-1, 1].
    """

    layer: str
    max_error: float
    typical_error: float
    cosine: float


@keras_defaults()
def compare_layers(
    path: str | os.PathLike[str],
    *,
    data: str | os.PathLike[str] | tuple[np.ndarray, np.ndarray] | None = None,
    trust_model: bool = False,
) -> list[LayerError]:
    """Compares an int8 artifact with its float model layer by layer, on 16 held-out images.

    The float model is the deployment graph as it was lowered for the artifact. Layers that the
    conversion merged into others are not in the result.

    Args:
        path: An int8 artifact that `export` made, with its sidecar and model beside it; as with
            `verify`, it may be anybody's.
        data, trust_model: As `verify`.

    Returns:
        A `LayerError` for every layer that both have, the worst first by typical error.

    Raises:
        FileNotFoundError: If the artifact, its model or the images are not there.
        ValueError: If it is no int8 artifact, is not what was exported, or cannot be run.
    """
    path = pathlib.Path(path)
    with quiet(unless=()):
        sidecar.require(path)
        with contextlib.closing(artifact_folder.Verifier(path.parent, data, trust_model)) as opened:
            content, fmt, subject, _ = opened.open(path)
        if fmt.dtype != "int8" or fmt.module + LAYERS not in sandbox.RUNTIMES:
            raise ValueError(
                f"{path.name} is a {fmt.name}. Layers are compared of int8 formats of TFLite and "
                "ONNX."
            )
        folded = content["options"].get("fold_preprocessing", False)
        images = subject.sample.prepared(PIXELS if folded else subject.input)[:IMAGES]
        model = _float_model(content, fmt, subject, folded)
        runner = sandbox.Sandbox(path, fmt.module + LAYERS, model.input_shape[1:3])
        with contextlib.closing(runner):
            sums = _compare(model, runner, images)
    errors = [_error(layer, *values) for layer, values in sums.items()]
    return sorted(errors, key=lambda error: -error.typical_error)


def _float_model(content, fmt, subject, folded):
    """The deployment graph as an artifact was made from it."""
    options, model = content["options"], for_tracing(deploy(subject.model))
    if fmt.module == "onnx":
        return lowering.lower(model, for_runtime(options.get("runtime", ""), "int8"))
    if options.get("target") in (*lowering.TARGETS, lowering.targets.HOST):
        model = lowering.lower(model, options["target"], "int8")
    return preprocessing.fold(model) if folded and subject.input == NORMALIZED else model


def _compare(model, runner, images):
    """For each layer of both: number, sums of differences, squares, products, and the largest."""
    import tensorflow as tf

    found = _matches(model, runner.contents["layers"])
    outputs = keras.Model(model.inputs, [layer.output for layer, _ in found.values()])
    run = tf.function(lambda batch: outputs(batch, training=False), autograph=False)
    sums = {}
    for image in images:
        values = runner(image[None])[0].astype("float64")
        references = keras.tree.flatten(run(tf.constant(image[None], "float32")))
        for (name, (_, part)), reference in zip(found.items(), references, strict=True):
            expected = np.asarray(reference, "float64").ravel()
            got = values[part]
            error = got - expected
            added = [len(got), expected.sum(), error @ error, expected @ expected]
            added += [got @ got, got @ expected]
            largest = max(np.abs(error).max(), sums[name][-1] if name in sums else 0)
            before = sums[name][:-1] if name in sums else np.zeros(len(added))
            sums[name] = (*np.add(before, added), largest)
    return sums


def _matches(model, tensors):
    """The layers that tensors are the outputs of, with the place of their values, by name.

    Of a tensor that several layers were merged into, the last one.
    """
    layers = {layer.name: layer for layer in model.layers}
    order, found, start = list(layers), {}, 0
    for name, shape in tensors:
        size = int(np.prod([axis or 1 for axis in shape]))
        names = [each for each in _named(name, layers) if _is_of(shape, layers[each].output.shape)]
        if names:
            last = max(names, key=order.index)
            found[last] = layers[last], slice(start, start + size)
        start += size
    return found


def _is_of(shape, expected):
    """Whether a tensor has the axes of a layer's outputs, or other ones of as many values."""
    if len(shape) == len(expected):
        return tuple(shape[1:]) == tuple(expected[1:])
    return np.prod([axis or 1 for axis in shape]) == np.prod(expected[1:])


def _named(tensor, layers):
    """The layers that a tensor's name speaks of: `layer/Relu`, or scopes of TensorFlow."""
    first, _, rest = tensor.partition("/")
    if first in layers and "/" not in rest:
        return [first]
    scopes = (scope.replace(PREFIX, "") for scope in tensor.split(";"))
    return list(filter(None, (layer_of(f"{scope}/", layers) for scope in scopes)))


def _error(layer, count, total, squares, expected, got, product, largest):
    sigma = np.sqrt(max(expected / count - (total / count) ** 2, 0)) or 1.0
    cosine = product / np.sqrt(expected * got) if expected * got else 1.0
    typical = np.sqrt(squares / count) / sigma
    return LayerError(layer, float(largest / sigma), float(typical), float(cosine))
