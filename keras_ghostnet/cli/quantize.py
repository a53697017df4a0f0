"""Fine-tune a network with int8 rounding in it, and write a full-integer TFLite file.

RUN is a run's folder (its best model) or a .keras file, in one or anywhere, here or in a store.
SOURCE is as for `ghostnet train`; on its held-out images the float model, int8 after training (PTQ)
and quantization-aware training (QAT) are compared, as `ghostnet export` verifies them: on 400 at
most.
"""

from keras_ghostnet.cli.options import add_image_options, add_trust_model
from keras_ghostnet.command import location, start_backend
from keras_ghostnet.model_reference import resolve_model


def arguments(parser):
    parser.add_argument("run_dir", type=location, metavar="RUN", help="what to quantize, see above")
    parser.add_argument(
        "--data", required=True, type=location, metavar="SOURCE", help="images, see above"
    )
    parser.add_argument(
        "--out",
        type=location,
        metavar="FILE",
        help="file to write (default: model_int8_qat.tflite beside the model)",
    )
    parser.add_argument("--epochs", type=int, default=3, metavar="N", help="default: 3")
    parser.add_argument(
        "--steps", type=int, metavar="N", help="batches in total, instead of epochs"
    )
    parser.add_argument("--batch-size", type=int, default=32, metavar="N", help="default: 32")
    parser.add_argument(
        "--learning-rate", type=float, default=1e-4, metavar="RATE", help="default: 1e-4"
    )
    parser.add_argument(
        "--distillation",
        type=float,
        default=1.0,
        metavar="FRACTION",
        help="fraction of the loss that is the distance to the float model's logits, not to the "
        "labels (default: 1)",
    )
    parser.add_argument(
        "--io", choices=("int8", "uint8"), default="int8", help="input and output (default: int8)"
    )
    add_image_options(parser)
    add_trust_model(parser)
    parser.add_argument("--seed", type=int, help="of the split (default: the run's, or 0)")


def run(args):
    from keras_ghostnet.console import new_console

    resolve_model(args.run_dir)  # whatever is no model is refused before Keras is imported
    start_backend()
    from keras_ghostnet.export.quantization.run import quantize_run

    console = new_console()
    path, comparisons = quantize_run(
        args.run_dir,
        args.data,
        args.out,
        epochs=args.epochs,
        steps=args.steps,
        batch_size=args.batch_size,
        learning_rate=args.learning_rate,
        distillation=args.distillation,
        io=args.io,
        image_size=args.image_size,
        input=args.input,
        trust_model=args.trust_model,
        seed=args.seed,
        console=console,
    )
    console.print(_table(comparisons))
    console.print(f"Done: {path}", soft_wrap=True)


def _table(comparisons):
    """Accuracy, size and distance to the float model of each."""
    from keras_ghostnet.cli.tables import new_table

    of_pixels = comparisons[0].mean_iou is not None
    accuracy = ("mean IoU", "pixels") if of_pixels else ("top-1",)
    figures = (*accuracy, "same class", "rms error", "largest error", "MB")
    table = new_table(names=("",), figures=figures)
    for row in comparisons:
        table.add_row(
            row.name,
            *([f"{row.mean_iou:.2%}"] if of_pixels else ()),
            f"{row.accuracy:.2%}",
            f"{row.agreement:.2%}",
            f"{row.rms_error:.3f}",
            f"{row.max_error:.3f}",
            f"{row.bytes / 1e6:.2f}",
        )
    table.caption = (
        f"of {comparisons[0].images:,} held-out images; errors: in standard deviations of the "
        "float model's outputs"
    )
    return table
