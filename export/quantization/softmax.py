"""tf_keras models that end in a softmax: losses want their logits."""

import tf_keras


def activation_name(layer):
    """The name of a tf_keras layer's activation if that is all it computes, or None."""
    if isinstance(layer, tf_keras.layers.Softmax):
        return "softmax"
    if isinstance(layer, tf_keras.layers.Activation):
        return layer.activation.__name__
    return None


def without_softmax(model):
    """The same model up to its logits, with the same layers; itself if it ends in logits.

    Args:
        model: A functional tf_keras model with one output; its last layer may be wrapped.
    """
    last = model.get_layer(model.output_names[0])
    if activation_name(getattr(last, "layer", last)) != "softmax":
        return model
    return tf_keras.Model(model.input, last.input)
