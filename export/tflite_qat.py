"""Full-integer TFLite by quantization-aware training: a format that learns from labelled images."""

import pathlib

from keras_ghostnet.export import tflite

FILE = "model_int8_qat.tflite"  # what `ghostnet quantize` writes into a run's folder


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
):
    """Trains a model on with int8 rounding in it, and writes the `.tflite` file.

    Args:
        model: A Keras classifier with one input of a fixed image size.
        path: The file to create.
        dtype, calibration: Not used; every format's `export` takes them.
        train_data: As `keras_ghostnet.export.quantization.quantize_aware`.
        trained: A file that this training has made of the model before; it is taken then.
        io: Type of the file's input and output: `"int8"` or `"uint8"`.
        console: A `rich.console.Console` for progress; None shows nothing.

    Raises:
        ImportError: If TFMOT, tf_keras or LiteRT is missing.
        ValueError: If there is no training data, the file that was trained has another `io`, or
            as `quantize_aware`.
    """
    if trained is not None:
        content = pathlib.Path(trained).read_bytes()
        tflite.check(content, io)
        pathlib.Path(path).write_bytes(content)
    elif train_data is None:
        raise ValueError(
            "Quantization-aware training needs labelled training images: give a source of them "
            "(`--data`), or choose tflite_int8, which needs no labels."
        )
    else:
        from keras_ghostnet.export.quantization import quantize_aware

        quantize_aware(model, train_data, io=io, distillation=1.0, console=console).save(path)


def find(run):
    """The file that was trained of a run's model, if there is one and it is not the older.

    Args:
        run: The run's folder.

    Returns:
        A path, or None.
    """
    from keras_ghostnet.training import run_folder

    path, model = (pathlib.Path(run) / name for name in (FILE, run_folder.BEST))
    there = path.is_file() and model.is_file()
    return path if there and path.stat().st_mtime >= model.stat().st_mtime else None


load = tflite.load
