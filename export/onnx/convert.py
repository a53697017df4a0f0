"""A Keras model as an ONNX network in float32."""

import numpy as np

from keras_ghostnet.export.graph import deploy, for_tracing
from keras_ghostnet.export.onnx import graphs
from keras_ghostnet.export.onnx.names import name_after_layers
from keras_ghostnet.quiet import quiet

# Read by TensorRT since 8.5 (so by Jetsons that stay there), which stops at 17. Int8 with a
# scale per channel needs 13.
OPSET = 17
INPUT, OUTPUT = "images", "outputs"  # as in the served model's signatures


def convert(model, layout):
    """The deployment form of a model as ONNX.

    Args:
        model: A Keras model with one input of a fixed image size.
        layout: Of the network's input, `"NHWC"` or `"NCHW"`.

    Returns:
        An `onnx.ModelProto` in float32.

    Raises:
        ValueError: If the image size is open, or a weight is not finite.
    """
    import tensorflow as tf
    import tf2onnx

    shape = model.input_shape[1:]
    if None in shape:
        raise ValueError(
            f"ONNX files are for a fixed image size. Received a model with the input shape "
            f"{shape}: build it with `input_shape=(height, width, 3)`."
        )
    for weight in model.weights:
        if not np.isfinite(weight.numpy()).all():
            raise ValueError(f"The weight {weight.path} is not finite: the model is broken.")
    network = for_tracing(deploy(model))
    signature = [tf.TensorSpec((None, *shape), "float32", name=INPUT)]
    function = tf.function(lambda images: {OUTPUT: network(images, training=False)}, signature)
    with quiet():
        converted, _ = tf2onnx.convert.from_function(
            function,
            signature,
            opset=OPSET,
            inputs_as_nchw=[INPUT] if layout == "NCHW" else None,
        )
    converted = graphs.tidy(converted)
    name_after_layers(converted.graph, {layer.name for layer in network.layers})
    return converted
