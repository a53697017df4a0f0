"""Prints how far rounding moves the outputs of networks, in their standard deviations, by float64.

Of the photos of `make arm-check`: once when weights and what every layer outputs are rounded to
half precision or float32, and once when the images alone are, by chance up or down. ARM rounds
every product and sum, too. Weights are random, with batch norms settled on images.
"""

import keras
import numpy as np
import tensorflow as tf

from keras_ghostnet.benchmark.arm.check import _photos
from keras_ghostnet.benchmark.comparison import compared_networks, exports
from keras_ghostnet.export.graph import for_tracing
from keras_ghostnet.export.graph.flatten import flatten
from keras_ghostnet.preprocessing import normalize
from keras_ghostnet.quiet import quiet

MODELS = ("ghostnet_100", "mobilenet_v2_100")
DTYPES = ("float32", "float16")


def network(name):
    """A row of the paper's table in its deployment form, in float64."""
    keras.utils.set_random_seed(0)
    (subject,) = compared_networks.resolve_networks((name,), "paper")
    deployed = exports.Exporter(subject.build(None), random=True).deployed
    return for_tracing(flatten(deployed).to_model("float64"))


def rounded(model, images, dtype):
    """The outputs of a network whose weights and layers' outputs are rounded to a type."""

    def as_dtype(values):
        return tf.cast(tf.cast(values, dtype), values.dtype)

    weights = model.get_weights()
    model.set_weights([weight.astype(dtype).astype("float64") for weight in weights])
    outputs = model._run_through_graph(
        as_dtype(images),
        lambda operation: lambda *args, **kwargs: as_dtype(operation(*args, **kwargs)),
    )
    model.set_weights(weights)
    return outputs


def main():
    print("| network | type | all rounded | the images alone |\n|---|---|--:|--:|")
    for name in MODELS:
        with quiet():
            model = network(name)
        images = tf.constant(normalize(_photos(model.input_shape[1:3])), "float64")
        expected = model(images).numpy()
        signs = np.random.default_rng(0).choice((-1.0, 1.0), images.shape)
        for dtype in DTYPES:
            moved = model(images * (1 + signs * np.finfo(dtype).eps / 2))
            errors = [
                np.abs(outputs - expected).max() / expected.std()
                for outputs in (rounded(model, images, dtype), moved)
            ]
            print(f"| {name} | {dtype} |", *(f"{error:.2g} |" for error in errors))


if __name__ == "__main__":
    main()
