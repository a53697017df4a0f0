"""Train a network by a recipe, or continue where the same command stopped.

SOURCE is a folder of images (train/CLASS/*, val/CLASS/*; or CLASS/*, a part of which is held out),
a folder of TFRecords that `ghostnet make-records` wrote, tfds:NAME, or digits.
"""

import sys

from keras_ghostnet.command import start_backend
from keras_ghostnet.quiet import quiet


def arguments(parser):
    parser.add_argument("--recipe", required=True, metavar="NAME", help="see `ghostnet recipes`")
    parser.add_argument("--data", required=True, metavar="SOURCE", help="images, see above")
    parser.add_argument("--run-dir", required=True, metavar="DIR", help="folder for all results")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="change a setting of the recipe; may be repeated",
    )
    parser.add_argument(
        "--strategy",
        default="auto",
        help="auto, one_device, mirrored, multi_worker or tpu (default: auto)",
    )
    parser.add_argument(
        "--deterministic", action="store_true", help="slower, with bit-identical results"
    )
    parser.add_argument(
        "--checkpoint-steps",
        type=int,
        default=1000,
        metavar="N",
        help="steps between checkpoints, beside those after every epoch (default: 1000)",
    )
    parser.add_argument(
        "--checkpoint-minutes",
        type=float,
        default=15.0,
        metavar="N",
        help="minutes after which there is a checkpoint at the latest (default: 15)",
    )
    parser.add_argument(
        "--keep",
        type=int,
        default=3,
        metavar="N",
        help="checkpoints that are kept, beside the best (default: 3)",
    )
    parser.add_argument(
        "--bad-limit",
        type=float,
        default=0.001,
        metavar="PART",
        help="part of the images that may be unusable before the run stops (default: 0.001)",
    )


def run(args):
    from rich.console import Console

    from keras_ghostnet.training import recipes

    recipe = recipes.override(recipes.find(args.recipe), args.set)
    start_backend(cluster=True)
    from keras_ghostnet.training.run import Run, Stopped

    console = Console(file=sys.stdout, highlight=False)  # the real one, before it is held back
    options = {
        name: getattr(args, name)
        for name in (
            "strategy", "deterministic", "checkpoint_steps", "checkpoint_minutes", "keep",
            "bad_limit",
        )
    }  # fmt: skip
    try:
        with quiet(unless=()):
            training = Run(recipe, args.data, args.run_dir, console=console, **options)
            metrics = training.go()
    except Stopped as stopped:
        print(stopped)
        return 130
    if training.chief:
        console.print(_table(metrics))
        console.print(f"Done: {args.run_dir}", soft_wrap=True)


def _table(metrics):
    """The best and the last epoch, with the files that hold them."""
    from keras_ghostnet.cli.tables import new_table

    figures = ("epoch", "loss", "held-out loss", "top-1", "top-5")
    table = new_table(names=("", "model"), figures=figures)
    for name, file in (("best", "model.keras"), ("last", "last.keras")):
        row = metrics[name]
        table.add_row(
            name,
            file,
            str(row["epoch"]),
            f"{row['loss']:.3f}",
            f"{row['val_loss']:.3f}",
            f"{row['val_accuracy']:.2%}",
            f"{row['val_top5']:.2%}",
        )
    return table
