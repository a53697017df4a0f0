"""Quantization-aware training: from a float Keras 3 classifier to a full-integer TFLite file."""

import dataclasses
import functools
import os
import pathlib
from collections.abc import Iterable

import keras
from rich.console import Console

from keras_ghostnet import files
from keras_ghostnet.console import step
from keras_ghostnet.export import tflite
from keras_ghostnet.export.graph import deploy, for_tracing
from keras_ghostnet.export.quantization import arguments
from keras_ghostnet.export.quantization.batches import Batches
from keras_ghostnet.export.quantization.bridge import to_tf_keras
from keras_ghostnet.export.tflite.upsampling import concatenate_repeats
from keras_ghostnet.quiet import quiet
from keras_ghostnet.training.heads import count_classes
from keras_ghostnet.training.logits import logits
from keras_ghostnet.training.settings import Count, Fraction, Positive, within_ranges

IO = ("int8", "uint8")
MEASURED = 100  # batches, at most, that the ranges of activations are taken from


@dataclasses.dataclass(frozen=True)
class QuantizedModel:
    """What quantization-aware training made.

    Attributes:
        content: The TFLite file's bytes.
        history: One dictionary an epoch: `loss` and `accuracy` of the training batches.
    """

    content: bytes
    history: list[dict[str, float]]

    def save(self, path: str | os.PathLike[str]) -> pathlib.Path:
        """Writes the TFLite file; it appears whole or not at all. Returns its path."""
        path = pathlib.Path(path)
        with files.replacing(path) as partial:
            partial.write_bytes(self.content)
        return path


@within_ranges
def quantize_aware(
    model: keras.Model,
    train_data: Iterable,
    *,
    epochs: Count = 3,
    steps: Count | None = None,
    learning_rate: Positive = 1e-4,
    distillation: Fraction = 1.0,
    io: str = "int8",
    console: Console | None = None,
) -> QuantizedModel:
    """Fine-tunes a classifier with int8 rounding in it, and converts it to full-integer TFLite.

    The model is brought into its deployment form first: batch norms are folded, so that the
    rounding that is trained with is that of the device. Then TFMOT's fake quantization is put
    where TFLite quantizes: one range for every activation, one for every channel of a kernel.
    The ranges of activations are those of the float model on the first 100 batches (an epoch, if
    that is less); they stay as they are while the kernels learn.
    The file has operators that are built in, int8 tensors and int32 biases only.

    Args:
        model: A trained, functional or sequential Keras 3 classifier with one input of a fixed
            image size, that ends in logits, a softmax or one sigmoid unit, or in maps of them; left
            as it is.
        train_data: Batches as `Batches` takes them, preprocessed and augmented as in training,
            from the training data.
        epochs: How often to go through `train_data`.
        steps: Batches in all, instead of `epochs`.
        learning_rate: Adam's peak, after a warm-up of a tenth of the steps; then a cosine to 0.
        distillation: The fraction of the loss, in [0, 1], that is the mean square of the distance
            to the float model's logits, in units of their variance; the rest is the cross entropy
            of the labels.
        io: Type of the file's input and output: `"int8"` or `"uint8"`.
        console: A `rich.console.Console` for progress; None shows nothing.

    Returns:
        A `QuantizedModel`.

    Raises:
        ImportError: If TFMOT, tf_keras or LiteRT is missing.
        TypeError: If `train_data` can be iterated over only once.
        ValueError: If an argument is out of range, the model or the first batch does not fit, or
            a layer has no int8 form; the message names it.
        FloatingPointError: If the loss is not finite.
    """
    _check(model, io)
    batches = Batches(
        train_data,
        model.input_shape,
        count_classes(model),
        epochs,
        steps,
        model.output_shape[1:-1],
    )
    console = console or Console(quiet=True)
    console.file = console.file  # standard output as it is now: below it is held back
    with quiet(unless=()):
        from keras_ghostnet.export.quantization.fake_quantization import FakeQuantized
        from keras_ghostnet.export.quantization.fine_tuning import fine_tune

        with step(console, "Putting fake quantization in") as done:
            deployed = deploy(model)
            quantized = FakeQuantized(to_tf_keras(concatenate_repeats(deployed)))
            done(f"{len(quantized.weights)} kernels and all activations are rounded to int8")
        with step(console, "Measuring the ranges of activations") as done:
            count = measure(quantized, batches.once(MEASURED))
            done(f"measured the ranges of activations on {count} images")
        with step(console) as done:
            history = fine_tune(
                quantized.train,
                quantized.trainable_variables,
                functools.partial(logits, for_tracing(deployed)),
                batches,
                learning_rate=learning_rate,
                distillation=distillation,
                console=console,
            )
            done(f"trained for {batches.steps} steps")
        with step(console, "Converting") as done:
            content = convert(quantized, io)
            done(f"converted to {len(content) / 1e6:.2f} MB of int8")
    return QuantizedModel(content, history)


def _check(model, io):
    if io not in IO:
        raise ValueError(f"`io` must be one of {IO}. Received: io={io!r}.")
    arguments.require_trainable(model)
    if None in model.input_shape[1:]:
        raise ValueError(
            f"TFLite needs a fixed image size. Received a model with the input shape "
            f"{model.input_shape}: build it with `input_shape=(height, width, 3)`."
        )


def measure(quantized, batches):
    """Takes the ranges of activations from images.

    Args:
        quantized: A `fake_quantization.FakeQuantized`.
        batches: Images `(n, height, width, channels)`, float32.

    Returns:
        The number of the images.
    """
    import tensorflow as tf

    specification = tf.TensorSpec((None, *quantized.input_shape[1:]), "float32")
    function = tf.function(quantized.measure, input_signature=[specification], autograph=False)
    count = 0
    for images in batches:
        function(images)
        count += len(images)
    return count


def convert(quantized, io):
    """The bytes of a full-integer TFLite file.

    Args:
        quantized: A `fake_quantization.FakeQuantized` whose ranges are known.
        io: As `quantize_aware`.

    Raises:
        ValueError: If the file is not what it should be.
    """
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_concrete_functions([quantized.to_convert()])
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.inference_input_type = converter.inference_output_type = tf.dtypes.as_dtype(io)
    content = converter.convert()
    tflite.check(content, io)
    content = tflite.package(content)
    graph = tflite.graph(content)
    tensors = map(graph.subgraph.Tensors, range(graph.subgraph.TensorsLength()))
    floats = [x.Name().decode() for x in tensors if "FLOAT" in graph.type_names[x.Type()]]
    if floats:
        raise ValueError(f"The TFLite file computes in floats: {', '.join(floats[:3])}.")
    return content
