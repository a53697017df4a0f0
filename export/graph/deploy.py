"""From a model to its deployment graph."""

from collections.abc import Sequence

import keras

from keras_ghostnet.export.graph.flatten import flatten
from keras_ghostnet.export.graph.passes.averages import convolve_averages
from keras_ghostnet.export.graph.passes.branches import fold_branches
from keras_ghostnet.export.graph.passes.fold_batch_norm import fold_batch_norms
from keras_ghostnet.export.graph.passes.fold_gate import fold_gates
from keras_ghostnet.export.graph.passes.identities import remove_identities
from keras_ghostnet.export.graph.passes.integers import take_floats
from keras_ghostnet.export.graph.passes.normalizations import convert_normalizations
from keras_ghostnet.export.graph.passes.pooling import split_pooling
from keras_ghostnet.export.graph.passes.reshapes import remove_reshapes
from keras_ghostnet.export.graph.passes.selections import merge_selections
from keras_ghostnet.export.graph.passes.slices import remove_slices

# In the order in which one makes the next possible.
PASSES = {
    "identities": remove_identities,
    "integers": take_floats,
    "normalizations": convert_normalizations,
    "selections": merge_selections,
    "batch_norms": fold_batch_norms,
    "branches": fold_branches,
    "reshapes": remove_reshapes,
    "gates": fold_gates,
    "slices": remove_slices,
    "pooling": split_pooling,
    "averages": convolve_averages,
}


def deploy(model: keras.Model, passes: Sequence[str] = tuple(PASSES)) -> keras.Model:
    """The deployment form of a model: the same function of the images, in fewer stock layers.

    The model is taken apart into stock Keras layers, which may be all (`passes=()`). Then dropout
    and the like are removed, pixels that are integers taken as floats, batch norms folded into
    convolutions, parallel convolutions that are added into one, reshapes replaced, the hard
    sigmoids of gates folded into the convolutions around them, slices of channels made by
    convolutions of their own, and global pooling moved in front of concatenations. Outputs agree
    with the model's, at inference, within the rounding of float32.
    `docs/deployment.md` says what each pass saves.

    The result's `.keras` file loads with Keras alone. On the TensorFlow backend run it, or trace
    it for another format, by way of `for_tracing`.

    Args:
        model: A functional or sequential Keras model with one input, made of stock layers, of
            layers of this package, or of layers that are made of such layers and operations.
            Any precision; it is left as it is.
        passes: Which of `PASSES` to run; they run in the order of `PASSES`.

    Returns:
        A functional `keras.Model` in float32 of the model's name and input and output shapes,
        with weights of its own. Layers keep their names; parts of composite layers have those of
        the places they were at, such as `stage3_block2_ghost1_primary_conv`.

    Raises:
        ValueError: If there is no pass of that name, or the model cannot be taken apart; the
            message names the layer.
    """
    unknown = sorted(set(passes) - set(PASSES))
    if unknown:
        raise ValueError(
            f"There is no pass {unknown[0]!r}. Choose of: {', '.join(map(repr, PASSES))}."
        )
    graph = flatten(model)
    for name, run in PASSES.items():
        if name in passes:
            run(graph)
    return graph.to_model()
