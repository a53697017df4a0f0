"""Train a network by a recipe, or continue where the same command stopped.

SOURCE is a folder of images (train/CLASS/*, val/CLASS/*; or CLASS/*, a part of which is held out),
a folder of TFRecords that `ghostnet make-records` wrote, tfds:NAME, or digits.
"""

import sys

from rich.console import Console

from keras_ghostnet.quiet import quiet


def arguments(parser):
    parser.add_argument("--recipe", required=True, metavar="NAME", help="see `ghostnet recipes`")
    parser.add_argument("--data", required=True, metavar="SOURCE", help="images, see above")
    parser.add_argument("--run_dir", required=True, metavar="DIR", help="folder for all results")
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
        "--checkpoint_steps",
        type=int,
        default=1000,
        metavar="N",
        help="steps between checkpoints, beside those after every epoch (default: 1000)",
    )


def run(args):
    from keras_ghostnet.training import recipes
    from keras_ghostnet.training.run import Run, Stopped

    recipe = recipes.override(recipes.find(args.recipe), args.set)
    console = Console(file=sys.stdout, highlight=False)  # the real one, before it is held back
    try:
        with quiet(unless=()):
            Run(
                recipe,
                args.data,
                args.run_dir,
                strategy=args.strategy,
                deterministic=args.deterministic,
                checkpoint_steps=args.checkpoint_steps,
                console=console,
            ).go()
    except Stopped as stopped:
        print(stopped)
        return 130
    print(f"Done: {args.run_dir}")
