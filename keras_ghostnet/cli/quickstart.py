"""Train, evaluate, export, verify, measure and report on handwritten digits: minutes on a CPU."""

import sys

from keras_ghostnet.command import start_backend


def arguments(parser):
    parser.add_argument(
        "--run-dir",
        default="runs/quickstart",
        metavar="DIR",
        help="folder for everything that is written (default: runs/quickstart)",
    )


def run(args):
    from rich.console import Console

    start_backend()
    from keras_ghostnet.benchmark import quickstart

    quickstart(args.run_dir, console=Console(file=sys.stdout, highlight=False))
