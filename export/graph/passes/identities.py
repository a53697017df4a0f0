"""Removes what does nothing at inference: dropout, noise, augmentation, identities."""

import keras

NAMES = ("ActivityRegularization", "AugMix", "GaussianNoise", "Identity", "RandAugment")
# Of those that crop, the shape is another.
KINDS = tuple(
    getattr(keras.layers, name)
    for name in dir(keras.layers)
    if name in NAMES or "Dropout" in name or (name.startswith("Random") and name != "RandomCrop")
)


def remove_identities(graph):
    """Removes layers that output their input at inference. Changes and returns the graph."""
    for node in graph.nodes():
        if node.kind in KINDS:
            graph.replace(node, node.inputs[0])
    return graph
