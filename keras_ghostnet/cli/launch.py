"""Write what starts a training run on Kubernetes or SLURM, and restarts it where it stopped.

The manifest is for JobSet, the script for sbatch. Both are printed, or written to a file.
"""

import argparse

from keras_ghostnet.command import location


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
    parser.add_argument(
        "--cpus-per-gpu", type=int, metavar="N", help="cores that prepare images (default: 4)"
    )
    parser.add_argument("--name", metavar="NAME", help="of the job (default: the recipe's)")
    parser.add_argument(
        "--restarts", type=int, default=20, metavar="N", help="at most (default: 20)"
    )
    parser.add_argument(
        "--grace",
        type=int,
        metavar="SECONDS",
        help="from SIGTERM to SIGKILL, for a step and a checkpoint (default: 120)",
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
        "--credentials-secret",
        metavar="NAME",
        help="Kubernetes: a secret whose keys become environment variables, for an object store",
    )
    parser.add_argument(
        "--hours", type=int, default=24, metavar="N", help="SLURM: time limit (default: 24)"
    )
    parser.add_argument("--out", type=location, metavar="FILE", help="default: standard output")


NEXT = {"kubernetes": "kubectl apply -f", "slurm": "sbatch"}


def run(args):
    import shlex

    from keras_ghostnet import files, stores
    from keras_ghostnet.training import launch

    names = ("image", "cpus_per_gpu", "grace", "credentials_secret")
    given = {name: value for name in names if (value := getattr(args, name)) is not None}
    volumes = dict(args.volume)
    if len(volumes) < len(args.volume):
        raise ValueError("--volume names a claim twice. Mount it once, with all its folders.")
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
        volumes=volumes,
        hours=args.hours,
        **given,
    )
    if args.out is None:
        print(text, end="")
        return
    with stores.writable_file(args.out) as out:
        files.require_place(out)
        with files.replacing(out) as partial:
            partial.write_text(text, "utf-8")
    if stores.is_remote(args.out):
        print(f"Done: {args.out}")
    else:
        print(f"Next: {NEXT[args.engine]} {shlex.quote(args.out)}")
