"""Removes what does nothing at inference: dropout, noise, augmentation, identities."""

import keras

KINDS = tuple(
    getattr(keras.layers, name)
    for name in (
        "ActivityRegularization",
        "AlphaDropout",
        "Dropout",
        "GaussianDropout",
        "GaussianNoise",
        "Identity",
        "RandomBrightness",
        "RandomContrast",
        "RandomFlip",
        "RandomRotation",
        "RandomTranslation",
        "RandomZoom",
        "SpatialDropout1D",
        "SpatialDropout2D",
        "SpatialDropout3D",
    )
)


def remove_identities(graph):
    """Removes layers that output their input at inference. Changes and returns the graph."""
    for node in graph.nodes():
        if node.kind in KINDS:
            graph.replace(node, node.inputs[0])
    return graph
