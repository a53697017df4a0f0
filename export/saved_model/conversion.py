"""TensorFlow SavedModel: for TF Serving, and for anything that runs TensorFlow."""

import numpy as np

from keras_ghostnet.export.graph.refusals import naming_layers
from keras_ghostnet.export.saved_model.operations import SIGNATURE
from keras_ghostnet.quiet import quiet


def export(model, path, dtype="float32", calibration=None, **options):
    """Writes a SavedModel that needs neither Keras nor this package, for any batch size.

    Args:
        model: A Keras classifier of RGB images of a fixed size.
        path: The folder to create.
        dtype, calibration: Not used; every format's `export` takes them.
        **options: As `keras_ghostnet.export.saved_model.signatures.signatures`, which tells the
            signatures: `labels`, `top_k`, `crop`, `max_pixels`.

    Raises:
        ValueError: If the model or an option does not fit.
    """
    import tensorflow as tf

    from keras_ghostnet.export.saved_model.signatures import signatures

    with quiet():
        traced = signatures(model, **options)
    with naming_layers(model, "a SavedModel"), quiet(unless=()):
        functions = {name: one.get_concrete_function() for name, one in traced.items()}
        _check(functions)
        # Keras' own export tracks layers and variables, and so stores every weight twice.
        module = tf.Module()
        module.weights = [variable.value for variable in model.weights]
        tf.saved_model.save(
            module,
            str(path),
            functions,
            tf.saved_model.SaveOptions(experimental_custom_gradients=False),
        )


def load(path, threads=1):
    """A runner for a SavedModel.

    Args:
        path: The SavedModel's folder.
        threads: Not used: TensorFlow's threads are a setting of the process.
    """
    return SavedModelRunner(path)


class SavedModelRunner:
    """Runs the default signature of a SavedModel, without Keras."""

    def __init__(self, path):
        import tensorflow as tf

        with quiet():
            # The signature holds its variables weakly: without the model they are gone.
            self.model = tf.saved_model.load(str(path))
        self.signature = self.model.signatures[SIGNATURE]
        (self.input,) = self.signature.structured_input_signature[1]
        (self.output,) = self.signature.structured_outputs

    def __call__(self, images, batch_size=64):
        batches = [images[i : i + batch_size] for i in range(0, len(images), batch_size)]
        return np.concatenate([self._run(self._tensor(batch)) for batch in batches])

    def single(self, image):
        """A function without arguments that runs one image `(height, width, 3)`."""
        tensor = self._tensor(image[None])
        return lambda: self._run(tensor)

    def _tensor(self, images):
        import tensorflow as tf

        return tf.constant(images, "float32")

    def _run(self, tensor):
        return self.signature(**{self.input: tensor})[self.output].numpy()


def _check(functions):
    """Refuses functions compiled by XLA: TF Serving on a CPU is built without it, or slow."""
    for function in functions.values():
        for definition in function.graph.as_graph_def().library.function:
            if definition.attr["_XlaMustCompile"].b:
                raise ValueError(
                    f"The model has a function that XLA must compile, {definition.signature.name}: "
                    "Keras' own grouped convolutions do. Replace "
                    "`keras.layers.Conv2D(groups=...)` by `keras_ghostnet.layers.GroupedConv2D`, "
                    "and do not call the model's parts with `jit_compile=True`."
                )
