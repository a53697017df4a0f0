"""What half precision cannot hold, found before it is exported to."""

import numpy as np

from keras_ghostnet.export.graph.refusals import layer_of
from keras_ghostnet.quiet import quiet

LARGEST = float(np.finfo("float16").max)  # 65504
IMAGES, BATCH = 16, 4  # that the activations are checked with; at once


def require_half_range(model, images=None, *, sums=False):
    """Refuses a model with weights, or with values of images, that float16 does not hold.

    Every operation's output is looked at, also within a layer.

    Args:
        model: A Keras model as `keras_ghostnet.export.graph.for_tracing` returns it.
        images: Images `(n, height, width, 3)` as the model takes them, of which the first 16 are
            run in float32; None or none checks weights alone.
        sums: Whether what is averaged over images is also to hold when it is added up, as some
            devices do in float16. What is averaged over windows always is.

    Raises:
        ValueError: If one is too large, or is not finite; the message names the layer.
    """
    for weight in model.weights:
        _require("weight", weight.path, np.abs(weight.numpy()).max(initial=0))
    if images is not None and len(images):
        for (what, name), largest in _largest(model, images[:IMAGES], sums).items():
            _require(what, name, largest)


def _require(what, name, largest):
    # Written so that a NaN fails.
    if not largest <= LARGEST:
        raise ValueError(
            f"float16 holds values up to {LARGEST:g}. Found: the {what} {name!r} reaches "
            f"{largest:.3g}. Export as float32, or check images and weights."
        )


def _largest(model, images, sums):
    """The largest absolute values by what they are of, in the order of computation."""
    import tensorflow as tf

    layers, keys = {layer.name for layer in model.operations}, []

    def largest(images):
        model(images, training=False)
        keys[:], tensors = zip(
            *_tensors(tf.compat.v1.get_default_graph(), layers, sums), strict=True
        )
        return tf.stack([tf.reduce_max(tf.abs(tensor)) for tensor in tensors])

    specification = tf.TensorSpec((None, *model.input_shape[1:]), "float32")
    with quiet():
        run = tf.function(largest, input_signature=[specification], autograph=False)
        batches = [images[start : start + BATCH] for start in range(0, len(images), BATCH)]
        values = np.max([run(tf.constant(batch, "float32")) for batch in batches], axis=0)
    found = {}
    for key, value in zip(keys, values, strict=True):
        found[key] = np.maximum(found.get(key, value), value)  # a NaN stays
    return found


def _tensors(graph, layers, sums):
    """What is computed of the images: what it is of with its name, and the tensor."""
    import tensorflow as tf

    for operation in graph.get_operations():
        if operation.type in ("Const", "Placeholder", "ReadVariableOp"):
            continue
        layer = layer_of(operation.name, layers)
        name = f"{layer}/{operation.name.split('/')[-1]}" if layer else operation.name
        for tensor in operation.outputs:
            if tensor.dtype == tf.float32:
                yield ("activation", name), tensor
        if operation.type == "AvgPool":
            places = np.prod(operation.get_attr("ksize"))
            yield ("sum over a window in", name), operation.outputs[0] * float(places)
        if sums and operation.type == "Mean" and operation.inputs[0].shape.rank == 4:
            yield ("sum over the image in", name), tf.reduce_sum(operation.inputs[0], axis=(1, 2))
