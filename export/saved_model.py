"""TensorFlow SavedModel: for TF Serving, and for anything that runs TensorFlow."""

import numpy as np

from keras_ghostnet.quiet import quiet

SIGNATURE = "serving_default"


def export(model, path, dtype="float32", calibration=None):
    """Writes a SavedModel with one signature, `serving_default`, for any batch size.

    Args:
        model: A Keras model.
        path: The folder to create.
        dtype, calibration: Not used; every format's `export` takes them.
    """
    with quiet():
        model.export(path, format="tf_saved_model", verbose=False)


def load(path, threads=1):
    """A runner for a SavedModel.

    Args:
        path: The SavedModel's folder.
        threads: Not used: TensorFlow's threads are a setting of the process.
    """
    return Runner(path)


class Runner:
    """Runs the signature of a SavedModel, without Keras."""

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
