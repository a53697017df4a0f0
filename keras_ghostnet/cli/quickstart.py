"""Train, evaluate, export, verify, measure and report on handwritten digits: minutes on a CPU."""

from keras_ghostnet.command import start_backend


def arguments(parser):
    parser.add_argument(
        "--run-dir",
        default="runs/quickstart",
        metavar="DIR",
        help="folder for everything that is written (default: runs/quickstart)",
    )


def run(args):
    start_backend()
    from keras_ghostnet.benchmark.quickstart import quickstart

    quickstart(args.run_dir)
