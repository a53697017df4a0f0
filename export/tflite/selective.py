"""Int8 but for some layers, which stay in float."""

from keras_ghostnet.export.graph.kept import scopes_of
from keras_ghostnet.export.tflite import inspection


def quantize(converter, model, kept):
    """Quantizes a network but for some layers.

    Args:
        converter: A `tf.lite.TFLiteConverter` of the model, with a representative dataset.
        model: The Keras model that it converts.
        kept: The names of layers of it.

    Returns:
        The bytes of a `.tflite` file with int8 input and output. Operators of floats stand between
        a DEQUANTIZE and a QUANTIZE.

    Raises:
        ValueError: If no operator comes from any of the layers.
    """
    import tensorflow as tf

    debug = tf.lite.experimental  # its public way to leave operators out
    debugger = debug.QuantizationDebugger(
        converter=converter,
        debug_dataset=converter.representative_dataset,
        debug_options=debug.QuantizationDebugOptions(fully_quantize=True),
    )
    tensors = inspection.outputs(debugger.calibrated_model)
    names = scopes_of(tensors, {layer.name for layer in model.layers}, kept)
    if model.layers[-1].name in kept:  # the converter gives the output a name of its own
        names.append(tensors[-1])
    if not names:
        raise ValueError(
            f"No operator of the TFLite file is of {', '.join(sorted(kept))}: nothing stays in "
            "float."
        )
    debugger.options = debug.QuantizationDebugOptions(denylisted_nodes=names, fully_quantize=True)
    return debugger.get_nondebug_quantized_model()
