"""Train a network on with int8 rounding in it, and write a full-integer TFLite file.

RUN is a run's folder (its best model) or a .keras file, in one or anywhere. SOURCE is as for
`ghostnet train`; its held-out images tell what quantization costs: the float model, int8 after
training (PTQ) and quantization-aware training (QAT) are run on all of them.
"""

import pathlib
import sys
import tempfile

from keras_ghostnet.command import start_backend
from keras_ghostnet.quiet import quiet

CALIBRATION = 200  # images that PTQ takes its ranges from, about


def arguments(parser):
    parser.add_argument("run_dir", metavar="RUN", help="what to quantize, see above")
    parser.add_argument("--data", required=True, metavar="SOURCE", help="images, see above")
    parser.add_argument(
        "--out",
        metavar="FILE",
        help="file to write (default: model_int8_qat.tflite beside the model)",
    )
    parser.add_argument("--epochs", type=int, default=3, metavar="N", help="default: 3")
    parser.add_argument("--steps", type=int, metavar="N", help="batches in all, instead of epochs")
    parser.add_argument("--batch-size", type=int, default=32, metavar="N", help="default: 32")
    parser.add_argument(
        "--learning-rate", type=float, default=1e-4, metavar="RATE", help="default: 1e-4"
    )
    parser.add_argument(
        "--distillation",
        type=float,
        default=1.0,
        metavar="PART",
        help="of the loss that is the distance to the float model's logits, not the labels "
        "(default: 1)",
    )
    parser.add_argument(
        "--io", choices=("int8", "uint8"), default="int8", help="input and output (default: int8)"
    )
    parser.add_argument("--seed", type=int, help="of the split (default: the run's, or 0)")


def run(args):
    from rich.console import Console

    start_backend()
    from keras_ghostnet import model_reference
    from keras_ghostnet.export.quantization import arguments as checks

    console = Console(file=sys.stdout, highlight=False)  # the real one, before it is held back
    with quiet(unless=()):
        saved_model = model_reference.resolve_model(args.run_dir)
        model = saved_model.load()
        checks.check(model, args.learning_rate, args.distillation)
        training, calibration, held_out = _pipelines(args, model, saved_model)
        console.print(_quantize(args, model, training, calibration, held_out, console))
    console.print(f"Done: {_out(args)}", soft_wrap=True)


def _quantize(args, model, training, calibration, held_out, console):
    """Writes the file; returns the table that compares it."""
    from keras_ghostnet import files
    from keras_ghostnet.console import step
    from keras_ghostnet.export import tflite
    from keras_ghostnet.export.graph import deploy, for_tracing
    from keras_ghostnet.export.quantization import quantize_aware
    from keras_ghostnet.export.training_data import Epochs
    from keras_ghostnet.training.data.arrays import to_arrays

    with training.explained():
        quantized = quantize_aware(
            model,
            Epochs(training, args.batch_size),
            epochs=args.epochs,
            steps=args.steps,
            learning_rate=args.learning_rate,
            distillation=args.distillation,
            io=args.io,
            console=console,
        )
    path = quantized.save(_out(args))
    with step(console, "Comparing on the held-out images") as done:
        images, labels, _ = to_arrays(held_out)
        outputs = {"float": (model.predict(images, verbose=0), 4 * model.count_params())}
        with tempfile.TemporaryDirectory() as folder:
            plain = pathlib.Path(folder) / "ptq.tflite"
            tflite.export(for_tracing(deploy(model)), plain, "int8", _some(calibration))
            outputs["int8 PTQ"] = (tflite.load(plain)(images), files.size(plain))
        outputs["int8 QAT"] = (tflite.load(path)(images), files.size(path))
        done(f"compared on {len(images)} held-out images")
    return _table(outputs, labels)


def _table(outputs, labels):
    """Accuracy, size and distance to the float model of each."""
    from keras_ghostnet.cli.tables import new_table

    reference, _ = outputs["float"]
    figures = ("top-1", "same class", "rms error", "largest error", "MB")
    table = new_table(names=("",), figures=figures)
    for name, (values, size) in outputs.items():
        classes = values.argmax(axis=-1)
        errors = (values - reference) / reference.std()
        table.add_row(
            name,
            f"{(classes == labels).mean():.2%}",
            f"{(classes == reference.argmax(axis=-1)).mean():.2%}",
            f"{(errors**2).mean() ** 0.5:.3f}",
            f"{abs(errors).max():.3f}",
            f"{size / 1e6:.2f}",
        )
    table.caption = "errors: in standard deviations of the float model's outputs"
    return table


def _pipelines(args, model, saved_model):
    """Training images as the run varied them, some as they are, and the held-out ones."""
    from keras_ghostnet.export.training_data import open_training
    from keras_ghostnet.training.data import Pipeline, open_source, require_same_classes

    seed = saved_model.seed if args.seed is None else args.seed
    sources = {split: open_source(args.data, split, seed=seed) for split in ("train", "val")}
    for source in sources.values():
        require_same_classes(model, source, saved_model)
    *_, height, width, _ = model.input_shape
    options = dict(image_size=(height, width), seed=seed, crop=saved_model.crop)
    return (
        open_training(args.data, (height, width), {**saved_model.recipe, "seed": seed}),
        Pipeline(sources["train"], training=False, **options),
        Pipeline(sources["val"], training=False, **options),
    )


def _some(pipeline):
    """Images from all over the source, as they are in use."""
    import numpy as np

    batch_size = 8
    wanted = CALIBRATION // batch_size
    every = max(1, pipeline.steps_per_epoch(batch_size) // wanted)
    with pipeline.explained():
        chosen = pipeline.batches(0, global_batch=batch_size).shard(every, 0).take(wanted)
        parts = [batch["image"].numpy()[batch["weight"].numpy() > 0] for batch in chosen]
    return np.concatenate(parts)


def _out(args):
    from keras_ghostnet.export.tflite_qat import FILE

    return pathlib.Path(args.out) if args.out else _folder(args.run_dir) / FILE


def _folder(run_dir):
    path = pathlib.Path(run_dir)
    return path if path.is_dir() else path.parent
