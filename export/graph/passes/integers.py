"""Takes an input of whole numbers as floats, which every runtime has."""

import keras

CASTS = ("Cast", "ConvertToTensor")  # operations, which Keras does not export by name
CASTING = (keras.layers.Normalization, keras.layers.Rescaling)  # layers that begin with a cast


def take_floats(graph):
    """Makes an input of integers, such as uint8, one of floats.

    Floats hold the same pixels exactly. Only if nothing but casts comes between the input and
    floats: an operation of integers computes otherwise. Changes and returns the graph.
    """
    if keras.backend.is_float_dtype(graph.input.config["dtype"]):
        return graph
    casts = _casts(graph, graph.input)
    if casts is not None:
        graph.input.config = {"dtype": "float32"}
        for node in casts:
            graph.replace(node, graph.input)
    return graph


def _casts(graph, node):
    """The casts between the input and floats; None if there is anything else."""
    found = []
    for user in graph.users(node):
        if user is not None and user.kind.__name__ in CASTS:
            found.append(user)
            if not keras.backend.is_float_dtype(user.config.get("dtype") or "uint8"):
                further = _casts(graph, user)
                if further is None:
                    return None
                found += further
        elif user is None or user.kind not in CASTING:
            return None
    return found
