"""Write what starts a training run on Kubernetes or SLURM, and restarts it where it stopped.

The manifest is for JobSet, the script for sbatch. Both are printed, or written to a file.
"""

import argparse

from keras_ghostnet.command import location, path


def volume(text):
    """CLAIM=PATH as a pair."""
    claim, equals, mount = text.partition("=")
    if not (claim and equals and mount):
        raise argparse.ArgumentTypeError(f"expected CLAIM=/PATH, received {text!r}")
    return claim, mount


def arguments(parser):
    parser.add_argument("engine", metavar="ENGINE", help="kubernetes or slurm")
    parser.add_argument("--recipe", required=True, metavar="NAME", help="see `ghostnet recipes`")
    parser.add_argument(
        "--data",
        required=True,
        type=location,
        metavar="SOURCE",
        help="images, as the workers see them",
    )
    parser.add_argument(
        "--run-dir",
        required=True,
        type=location,
        metavar="DIR",
        help="folder for all results, as they see it",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="change a setting of the recipe; may be repeated",
    )
    parser.add_argument("--gpus", type=int, default=1, metavar="N", help="in all (default: 1)")
    parser.add_argument(
        "--gpus-per-node", type=int, default=8, metavar="N", help="of a node (default: 8)"
    )
    parser.add_argument("--name", metavar="NAME", help="of the job (default: the recipe's)")
    parser.add_argument(
        "--restarts", type=int, default=20, metavar="N", help="at most (default: 20)"
    )
    parser.add_argument("--image", metavar="NAME", help="Kubernetes: of the containers")
    parser.add_argument(
        "--volume",
        action="append",
        type=volume,
        default=[],
        metavar="CLAIM=PATH",
        help="Kubernetes: a persistent volume claim, and where it is; may be repeated",
    )
    parser.add_argument(
        "--hours", type=int, default=24, metavar="N", help="SLURM: time limit (default: 24)"
    )
    parser.add_argument("--out", type=path, metavar="FILE", help="default: standard output")


NEXT = {"kubernetes": "kubectl apply -f", "slurm": "sbatch"}


def run(args):
    import shlex

    from keras_ghostnet import files
    from keras_ghostnet.training import launch

    given = {} if args.image is None else {"image": args.image}
    text = launch.render(
        args.engine,
        args.recipe,
        args.data,
        args.run_dir,
        settings=args.set,
        gpus=args.gpus,
        gpus_per_node=args.gpus_per_node,
        name=args.name,
        restarts=args.restarts,
        volumes=dict(args.volume),
        hours=args.hours,
        **given,
    )
    if args.out is None:
        print(text, end="")
        return
    files.require_place(args.out)
    with files.replacing(args.out) as partial:
        partial.write_text(text, "utf-8")
    print(f"Next: {NEXT[args.engine]} {shlex.quote(args.out)}")
