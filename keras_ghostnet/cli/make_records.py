"""Turn an image folder into sharded TFRecords, checked at the end; the same command resumes.

IN holds train/CLASS/* and, maybe, val/CLASS/*; or CLASS/*; or ImageNet as Kaggle lays it out
(ILSVRC/, LOC_synset_mapping.txt, LOC_val_solution.csv). OUT gets train-00000-of-00008 and so on,
validation-*, classes.json and manifest.json.
"""

from keras_ghostnet.command import location, start_backend
from keras_ghostnet.quiet import quiet


def arguments(parser):
    parser.add_argument("input", type=location, metavar="IN", help="folder of images")
    parser.add_argument("output", type=location, metavar="OUT", help="folder to write")
    parser.add_argument("--shards", type=int, help="files for training (default: 128 MiB each)")
    parser.add_argument("--workers", type=int, help="files written at once (default: the cores)")
    parser.add_argument("--seed", type=int, default=0, help="of the order (default: 0)")
    parser.add_argument(
        "--held-out",
        type=float,
        default=0.1,
        help="fraction of every class for validation, if IN has no splits (default: 0.1)",
    )


def run(args):
    from keras_ghostnet.console import new_console

    start_backend()
    from keras_ghostnet.training.data import make_records

    console = new_console()  # the real one, before it is held back
    with quiet(unless=()):
        counts = make_records(
            args.input,
            args.output,
            shards=args.shards,
            workers=args.workers,
            seed=args.seed,
            held_out=args.held_out,
            console=console,
        )
    counts = ", ".join(f"{count} for {split}" for split, count in counts.items())
    console.print(f"{args.output}: {counts}; all read back and correct", soft_wrap=True)
