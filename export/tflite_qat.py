"""Full-integer TFLite by quantization-aware training: a format that learns from labeled images."""

import pathlib

from keras_ghostnet.export import sandbox, tflite
from keras_ghostnet.training.heads import outputs_are


def export(
    model,
    path,
    dtype="int8",
    calibration=None,
    *,
    train_data=None,
    trained=None,
    io="int8",
    console=None,
    labels=None,
):
    """Fine-tunes a model with int8 rounding in it, and writes the `.tflite` file.

    Args:
        model: A Keras classifier with one input of a fixed image size.
        path: The file to create.
        dtype, calibration: Not used; every format's `export` takes them.
        train_data: As `keras_ghostnet.export.quantization.quantize_aware`.
        trained: A file that was trained from this model before; it is copied then.
        io: Type of the file's input and output: `"int8"` or `"uint8"`.
        console: A `rich.console.Console` for progress; None shows nothing.
        labels: As `keras_ghostnet.export.tflite.export`.

    Raises:
        ImportError: If TFMOT, tf_keras or LiteRT is missing.
        ValueError: If there is no training data, the file that was trained has another `io`, or
            as `quantize_aware`.
    """
    if trained is not None:
        sandbox.Sandbox(pathlib.Path(trained), "tflite").close()  # it may be anybody's
        content = pathlib.Path(trained).read_bytes()
        tflite.check(content, io)
    elif train_data is None:
        raise ValueError(
            "Quantization-aware training needs labeled training images: give a source of them "
            "(`--data`), or choose tflite_int8, which needs no labels."
        )
    else:
        from keras_ghostnet.export.quantization import quantize_aware

        content = quantize_aware(
            model, train_data, io=io, distillation=1.0, console=console
        ).content
    facts = dict(name=model.name, folded=False, outputs_are=outputs_are(model))
    content = tflite.package(content, labels, is_trained=True, **facts)
    pathlib.Path(path).write_bytes(content)


load = tflite.load
