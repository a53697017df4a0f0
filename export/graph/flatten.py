"""Takes a model apart into stock layers."""

import keras

from keras_ghostnet.copying import set_weights
from keras_ghostnet.export.graph.nodes import Graph, Node
from keras_ghostnet.export.graph.reader import OPAQUE, Reader
from keras_ghostnet.export.graph.refusals import NotDeployableError, first_line, refusal


def flatten(model):
    """Reads a model into a graph of stock layers, with copies of its weights.

    Layers that are made of other layers and operations, nested models among them, are replaced
    by what their `call` does at inference; an activation within a layer becomes a layer of its
    own. In the model's own data type the result is bit-identical. A layer that is called several
    times becomes several layers. The model itself is left as it is.

    Args:
        model: A functional or sequential Keras model with one input.

    Returns:
        A `Graph`.

    Raises:
        NotDeployableError: A `ValueError`, if something in the model cannot be expressed in stock
            layers; the message names it.
    """
    if not getattr(model, "inputs", None):
        raise NotDeployableError(
            f"{model.name} has no graph of layers: it is a subclass of keras.Model, or a "
            "Sequential model without an input shape. Build it with the functional API, "
            "`keras.Model(inputs, outputs)`, or call it once if it is Sequential."
        )
    if len(model.inputs) > 1:
        names = ", ".join(tensor.name for tensor in model.inputs)
        raise NotDeployableError(
            f"{model.name} must have one input. Found {len(model.inputs)}: {names}."
        )
    # Calls leave traces in the layers that are called: those of the copy alone.
    # Without its loss and optimizer, which would be copied too.
    plain = keras.Model(model.inputs[0], model.outputs, name=model.name)
    copy = _copy(plain)
    tensor = keras.Input(batch_shape=copy.inputs[0].shape, dtype=copy.inputs[0].dtype)
    config = {"dtype": tensor.dtype}
    node = Node(plain.layers[0].name, keras.layers.InputLayer, config, [], tuple(tensor.shape))
    reader = Reader()
    reader.know(tensor, node)
    outputs = reader.read(copy.call, (tensor,), {}, "")
    # A sequential model that was never called has outputs, but not their structure.
    output = model.outputs[0] if isinstance(model, keras.Sequential) else model.output
    structure = keras.tree.map_structure(lambda _: 0, output)
    return Graph(model.name, node, outputs, structure)


def _copy(model):
    """The same graph with layers of its own."""
    _refuse_opaque(model)
    copy = keras.models.clone_model(model, clone_function=_copy_layer)
    set_weights(copy, model.get_weights())
    return copy


def _copy_layer(layer):
    try:
        return type(layer).from_config(layer.get_config())
    except Exception as error:  # whatever a layer of the user's raises
        raise refusal(
            layer, f"it cannot be made from its own get_config() ({first_line(error)})"
        ) from error


def _refuse_opaque(model):
    """Before the copy, which would run or refuse such layers in words of its own."""
    for layer in model.layers:
        if type(layer).__name__ in OPAQUE:
            raise refusal(layer, "it runs code that no stock layer can stand for")
        if hasattr(layer, "layers"):
            _refuse_opaque(layer)
